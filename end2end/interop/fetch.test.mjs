// @x402/fetch, the official client of version 2: by EIP-3009 and by Permit2.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { decodePaymentResponseHeader, wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { Stage } from './stage.mjs';

describe('@x402/fetch', () => {
  /** @type {Stage} */
  let stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage?.close());

  /** @param {import('./stage.mjs').Payer} payer */
  const schemes = (payer) => [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }];
  /** @param {Response} answer */
  const receipt = (answer) => /** @type {import('./stage.mjs').Receipt} */ (decodePaymentResponseHeader(answer.headers.get('payment-response') ?? ''));

  it('buys by EIP-3009, within its spend controls', async () => {
    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const pay = wrapFetchWithPaymentFromConfig(fetch, {
      schemes: schemes(payer),
      spendControls: { allowedAssets: [stage.allowed(price)] },
    });
    const answer = await pay(stage.url, stage.request);
    assert.equal(answer.status, 200, await answer.clone().text());
    await stage.sold({ payer, answer: await answer.json(), receipt: receipt(answer), price });
    assert.equal(await stage.market.chain.balance(payer.address), 0n, 'a payer needs no coin of the network');
  });

  it('buys by Permit2 where its own policy wants that', async () => {
    const payer = await stage.market.payer();
    await stage.market.approvePermit2(payer);
    const price = await stage.price('permit2');
    const pay = wrapFetchWithPaymentFromConfig(fetch, {
      schemes: schemes(payer),
      spendControls: { allowedAssets: [stage.allowed(price)] },
      policies: [(_version, offers) => offers.filter(({ extra }) => extra.assetTransferMethod === 'permit2')],
    });
    const answer = await pay(stage.url, stage.request);
    assert.equal(answer.status, 200, await answer.clone().text());
    await stage.sold({ payer, answer: await answer.json(), receipt: receipt(answer), price });
  });

  it('with its default spend controls it pays nothing: the demo dollar is none of its default assets', async () => {
    const payer = await stage.market.payer();
    const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: schemes(payer) });
    await assert.rejects(pay(stage.url, stage.request), /spendControls/);
    await stage.untouched(payer);
  });

  it('with no spend controls at all it still takes the dollar, never the coin that it cannot pay', async () => {
    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: schemes(payer), spendControls: false });
    const answer = await pay(stage.url, stage.request);
    assert.equal(answer.status, 200, await answer.clone().text());
    await stage.sold({ payer, answer: await answer.json(), receipt: receipt(answer), price });
  });

  it('the books balance', () => stage.booksBalance());
});
