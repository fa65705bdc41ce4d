// A shop that settles nothing itself: a facilitator of the official packages does, in place of its own.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { startFacilitator } from './facilitator.mjs';
import { receiptOf, Stage } from './stage.mjs';

describe('facilitator_url', () => {
  /** @type {Stage} */
  let stage;
  /** @type {Awaited<ReturnType<typeof startFacilitator>>} */
  let facilitator;
  before(async () => {
    stage = await Stage.open({
      facilitator: async (market) => {
        facilitator = await startFacilitator(market);
        return facilitator.url;
      },
    });
  });
  after(async () => {
    await stage?.close();
    facilitator?.stop();
  });

  it('is asked what it supports before anybody pays', () => {
    assert.ok(facilitator.asked['GET /supported'], JSON.stringify(facilitator.asked));
  });

  for (const method of /** @type {const} */ (['eip3009', 'permit2'])) {
    it(`verifies and settles one payment by ${method}`, async () => {
      const before = { ...facilitator.asked };
      const payer = await stage.market.payer();
      if (method === 'permit2') await stage.market.approvePermit2(payer);
      const price = await stage.price(method);
      const pay = wrapFetchWithPaymentFromConfig(fetch, {
        schemes: [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }],
        spendControls: { allowedAssets: [stage.allowed(price)] },
        policies: [(_version, offers) => offers.filter(({ extra }) => extra.assetTransferMethod === method)],
      });
      const answer = await pay(stage.url, stage.request);
      assert.equal(answer.status, 200, await answer.clone().text());
      const receipt = receiptOf(answer.headers.get('payment-response'));
      await stage.sold({ payer, answer: await answer.json(), receipt, price });

      const { from } = await stage.market.mined(receipt.transaction);
      assert.equal(from.toLowerCase(), facilitator.address.toLowerCase(), 'the facilitator sent it');
      assert.equal((facilitator.asked['POST /settle'] ?? 0) - (before['POST /settle'] ?? 0), 1, 'it was asked to settle once');
      assert.ok((facilitator.asked['POST /verify'] ?? 0) > (before['POST /verify'] ?? 0), 'it was asked to verify first');
    });
  }

  it('the books balance', () => stage.booksBalance());
});
