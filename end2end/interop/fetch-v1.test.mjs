// x402-fetch, the official client of version 1, on a chain that plays Base Sepolia: it knows no Monad.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createWalletClient, http } from 'viem';
import { baseSepolia } from 'viem/chains';
import { decodeXPaymentResponse, wrapFetchWithPayment } from 'x402-fetch';
import { Stage } from './stage.mjs';

describe('x402-fetch', () => {
  /** @type {Stage} */
  let stage;
  before(async () => {
    stage = await Stage.open({ chainId: baseSepolia.id });
  });
  after(() => stage?.close());

  /** @param {import('./stage.mjs').Payer} payer */
  const wallet = ({ account }) =>
    /** @type {any} */ (createWalletClient({ account, chain: baseSepolia, transport: http(stage.market.chain.url) }));

  it('buys from the body of the 402, up to the most it is allowed to pay', async () => {
    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const pay = wrapFetchWithPayment(fetch, wallet(payer), price);
    const answer = await pay(stage.url, stage.request);
    assert.equal(answer.status, 200, await answer.clone().text());
    const receipt = /** @type {any} */ (decodeXPaymentResponse(answer.headers.get('x-payment-response') ?? ''));
    await stage.sold({ payer, answer: await answer.json(), receipt, price, network: 'base-sepolia' });
  });

  it('pays nothing above its limit', async () => {
    const payer = await stage.market.payer();
    const pay = wrapFetchWithPayment(fetch, wallet(payer), (await stage.price('eip3009')) - 1n);
    await assert.rejects(pay(stage.url, stage.request), /exceeds maximum/);
    await stage.untouched(payer);
  });

  it('the books balance', () => stage.booksBalance());
});
