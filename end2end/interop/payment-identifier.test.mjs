// The payment-identifier extension, with the official package: a name for a payment, so that a lost answer costs nothing.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodePaymentRequiredHeader } from '@x402/core/http';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import {
  appendPaymentIdentifierToExtensions, declarePaymentIdentifierExtension, generatePaymentId, isPaymentIdentifierRequired, validatePaymentIdentifier,
} from '@x402/extensions/payment-identifier';
import { wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { receiptOf, Stage } from './stage.mjs';

describe('payment-identifier', () => {
  /** @type {Stage} */
  let stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage?.close());

  /**
   * The official client, which gives each of its payments `id`, and the last payment header that it sent.
   * @param {import('./stage.mjs').Payer} payer
   * @param {string} id
   */
  function buyer(payer, id) {
    const client = x402Client.fromConfig({ schemes: [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }], spendControls: false });
    client.onBeforePaymentCreation(async ({ paymentRequired }) => {
      appendPaymentIdentifierToExtensions(paymentRequired.extensions ?? {}, id);
    });
    const sent = { header: '' };
    const watched = /** @type {typeof fetch} */ (async (input, init) => {
      sent.header = new Request(input instanceof Request ? input.clone() : input, init).headers.get('payment-signature') ?? sent.header;
      return fetch(input, init);
    });
    return { buy: () => wrapFetchWithPayment(watched, client)(stage.url, stage.request), sent };
  }

  /** @param {string} header */
  const call = (header) => fetch(stage.url, { ...stage.request, headers: { ...stage.request.headers, 'payment-signature': header } });

  /** The same payment under another name. @param {string} header @param {unknown} info */
  function renamed(header, info) {
    const payment = JSON.parse(Buffer.from(header, 'base64').toString());
    payment.extensions['payment-identifier'].info = info;
    return Buffer.from(JSON.stringify(payment)).toString('base64');
  }

  /** @param {Response} answer @param {number} status @param {string} code */
  async function refused(answer, status, code) {
    const text = await answer.text();
    assert.deepEqual([answer.status, JSON.parse(text).code], [status, code], text);
  }

  it('every 402 declares it as the official server does', async () => {
    const answer = await fetch(stage.url, stage.request);
    const required = decodePaymentRequiredHeader(answer.headers.get('payment-required') ?? '');
    const declared = required.extensions?.['payment-identifier'];
    assert.deepEqual(declared, declarePaymentIdentifierExtension(false));
    assert.equal(validatePaymentIdentifier(declared).valid, true);
    assert.equal(isPaymentIdentifierRequired(declared), false);
  });

  it('the same id and payment, sent again, are answered from the books', async () => {
    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const { buy, sent } = buyer(payer, generatePaymentId());
    const answer = await buy();
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    const again = await call(sent.header);
    assert.equal(again.headers.get('x-idempotent-replay'), 'true');
    assert.equal(await again.text(), text);
    await stage.sold({ payer, answer: JSON.parse(text), receipt: receiptOf(again.headers.get('payment-response')), price });
  });

  it('the same id for another payment is a conflict, and moves nothing', async () => {
    const payer = await stage.market.payer();
    const id = generatePaymentId();
    assert.equal((await buyer(payer, id).buy()).status, 200);
    await refused(await buyer(payer, id).buy(), 409, 'payment_already_used');
    assert.equal((await stage.market.transfers(payer.address, stage.payTo)).length, 1);
  });

  it('an id is its payer’s own', async () => {
    const [ada, bob, id] = [await stage.market.payer(), await stage.market.payer(), generatePaymentId()];
    assert.equal((await buyer(ada, id).buy()).status, 200);
    assert.equal((await buyer(bob, id).buy()).status, 200);
  });

  it('an id that is none is refused before anything moves', async () => {
    const payer = await stage.market.payer();
    const own = generatePaymentId();
    const { buy, sent } = buyer(payer, own);
    assert.equal((await buy()).status, 200);
    for (const id of ['short', 'x'.repeat(129), 'sixteen and more.', 7]) {
      await refused(await call(renamed(sent.header, { required: false, id })), 400, 'bad_payment_header');
    }
    // The id alone is enough: whether one is required, the shop says.
    assert.equal((await call(renamed(sent.header, { id: own }))).headers.get('x-idempotent-replay'), 'true');
    assert.equal((await stage.market.transfers(payer.address, stage.payTo)).length, 1);
  });

  it('the books balance', () => stage.booksBalance());
});
