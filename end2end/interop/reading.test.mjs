// How headers are read, and what a refused payment is told: with the official client and its decoders.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodePaymentResponseHeader } from '@x402/core/http';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { Stage } from './stage.mjs';

describe('headers', () => {
  /** @type {Stage} */
  let stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage?.close());

  /**
   * The official client, whose payment is changed on its way.
   * @param {import('./stage.mjs').Payer} payer
   * @param {(payment: any) => any} change
   * @param {BufferEncoding} encoding
   */
  function buyer(payer, change = (payment) => payment, encoding = 'base64') {
    const changed = /** @type {typeof fetch} */ (async (input, init) => {
      const request = new Request(input instanceof Request ? input.clone() : input, init);
      const header = request.headers.get('payment-signature');
      if (header) {
        const payment = change(JSON.parse(Buffer.from(header, 'base64').toString()));
        request.headers.set('payment-signature', Buffer.from(JSON.stringify(payment)).toString(encoding));
      }
      return fetch(request);
    });
    const schemes = [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }];
    return wrapFetchWithPaymentFromConfig(changed, { schemes, spendControls: false });
  }

  for (const [what, encoding, change] of /** @type {[string, BufferEncoding, (payment: any) => any][]} */ ([
    ['URL-safe base64 without padding', 'base64url', (payment) => payment],
    ['null for what is optional', 'base64', (payment) => ({ ...payment, resource: null, extensions: null })],
    ['members that nobody knows', 'base64', (payment) => ({ ...payment, more: 1, payload: { ...payment.payload, more: { of: 'it' } } })],
    ['numbers for decimal strings', 'base64', ({ payload: { signature, authorization }, ...payment }) => ({
      ...payment,
      accepted: { ...payment.accepted, amount: Number(payment.accepted.amount) },
      payload: {
        signature,
        authorization: { ...authorization, value: Number(authorization.value), validAfter: Number(authorization.validAfter), validBefore: Number(authorization.validBefore) },
      },
    })],
  ])) {
    it(`f3 a payment is read with ${what}`, async () => {
      const payer = await stage.market.payer();
      const price = await stage.price('eip3009');
      const answer = await buyer(payer, change, encoding)(stage.url, stage.request);
      assert.equal(answer.status, 200, await answer.clone().text());
      const receipt = /** @type {any} */ (decodePaymentResponseHeader(answer.headers.get('payment-response') ?? ''));
      await stage.sold({ payer, answer: await answer.json(), receipt, price });
    });
  }

  it('f3 a refused payment is told so where the client looks', async () => {
    const payer = await stage.market.payer();
    const foreign = (/** @type {any} */ payment) => ({ ...payment, accepted: { ...payment.accepted, payTo: payer.address } });
    for (const [status, reason, pay] of /** @type {[number, string, typeof fetch][]} */ ([
      [402, 'invalid_payment_requirements', buyer(payer, foreign)],
      [400, 'bad_payment_header', buyer(payer, () => ({ x402Version: 2 }))],
    ])) {
      const answer = await pay(stage.url, stage.request);
      assert.equal(answer.status, status, await answer.text());
      const receipt = decodePaymentResponseHeader(answer.headers.get('payment-response') ?? '');
      assert.deepEqual([receipt.success, receipt.transaction, receipt.errorReason, receipt.network], [false, '', reason, stage.market.network]);
    }
    await stage.untouched(payer);
  });

  it('the books balance', () => stage.booksBalance());
});
