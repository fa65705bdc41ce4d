// The sign-in-with-x extension, with the official package: a program without a session spends its credit.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { decodePaymentRequiredHeader, encodePaymentSignatureHeader } from '@x402/core/http';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import {
  assertSIWxChallengeBoundToOrigin, buildSIWxSchema, createSIWxClientExtension, createSIWxPayload, encodeSIWxHeader, validateSIWxMessage,
  verifySIWxSignature, wrapFetchWithSIWx,
} from '@x402/extensions/sign-in-with-x';
import { wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { Buyer, freshAccount } from '../support/buyer.mjs';
import { AGENT, receiptOf, Stage } from './stage.mjs';

/** How many runs a buyer's first payment leaves as credit. */
const RUNS = 4n;
const RUN_MS_MAX = 10_000;

describe('sign-in-with-x', () => {
  /** @type {Stage} */
  let stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage?.close());

  /** Somebody whose native payment was larger than its price. */
  async function creditor() {
    const buyer = new Buyer(stage.shop.url, stage.market.chain.url, freshAccount());
    await stage.market.chain.fund(buyer.account.address);
    await buyer.signIn();
    const { amount } = await buyer.offer(AGENT, stage.input);
    const { answer } = await buyer.buy(AGENT, stage.input, BigInt(amount) * (RUNS + 1n));
    assert.equal(answer.status, 200, answer.text);
    const price = BigInt(amount);
    return { buyer, account: buyer.account, price, credit: async () => BigInt((await buyer.credit())[0]?.amount ?? 0) };
  }

  /** @param {Record<string, string>} headers @param {unknown} body */
  const call = (headers = {}, body = stage.input) =>
    fetch(stage.url, { method: 'POST', headers: { ...stage.request.headers, ...headers }, body: JSON.stringify(body) });

  /** What a 402 that nobody paid says. */
  async function demand() {
    const answer = await call();
    assert.equal(answer.status, 402, await answer.text());
    return decodePaymentRequiredHeader(answer.headers.get('payment-required') ?? '');
  }

  /** The challenge as the official client fills it in. @param {any} required */
  function challenge(required, chain = 0) {
    const { info, supportedChains } = required.extensions['sign-in-with-x'];
    return { ...info, ...supportedChains[chain] };
  }

  /** The header of a fresh challenge. @param {import('viem').PrivateKeyAccount} account */
  async function signature(account) {
    return encodeSIWxHeader(await createSIWxPayload(challenge(await demand()), account, stage.url));
  }

  /** @param {Response} answer @param {number} status @param {string} code */
  async function refused(answer, status, code) {
    const text = await answer.text();
    assert.deepEqual([answer.status, JSON.parse(text).code], [status, code], text);
  }

  it('f1 a question about the price is offered no sign-in: registries ask it', async () => {
    for (const init of [{}, { method: 'HEAD' }, { method: 'POST' }]) {
      const answer = await fetch(stage.url, init);
      assert.equal(answer.status, 402);
      const { extensions } = decodePaymentRequiredHeader(answer.headers.get('payment-required') ?? '');
      assert.deepEqual(Object.keys(extensions ?? {}).sort(), ['bazaar', 'payment-identifier'], JSON.stringify(init));
    }
  });

  it('the 402 of a call has a challenge that the official package signs and takes', async () => {
    const required = await demand();
    const { info, supportedChains, schema } = /** @type {any} */ (required.extensions?.['sign-in-with-x']);
    assertSIWxChallengeBoundToOrigin(info, stage.url);
    // The fields' own types are left out: the whole header has to fit through proxies.
    const { properties: _, ...rest } = /** @type {any} */ (buildSIWxSchema());
    assert.deepEqual(schema, rest);
    assert.deepEqual(supportedChains, [{ chainId: stage.market.network, type: 'eip191' }]);
    assert.match(info.nonce, /^[0-9a-f]{32}$/);
    const account = freshAccount();
    const payload = await createSIWxPayload(challenge(required), account, stage.url);
    assert.deepEqual(await validateSIWxMessage(payload, new URL(stage.url)), { isValid: true });
    assert.deepEqual(await verifySIWxSignature(payload), { isValid: true, payer: account.address });
  });

  it('wrapFetchWithSIWx: the signature alone pays one run from credit, however often it is sent', async () => {
    const { account, price, credit } = await creditor();
    /** @type {string | null} */
    let header = null;
    const watched = /** @type {typeof fetch} */ (async (input, init) => {
      header = new Request(input instanceof Request ? input.clone() : input, init).headers.get('sign-in-with-x') ?? header;
      return fetch(input, init);
    });
    const answer = await wrapFetchWithSIWx(watched, account)(stage.url, stage.request);
    assert.equal(answer.status, 200, await answer.clone().text());
    const receipt = receiptOf(answer.headers.get('payment-response'));
    assert.equal(receipt.payer.toLowerCase(), account.address.toLowerCase());
    assert.equal(receipt.transaction, '', 'nothing was sent');
    assert.equal(await credit(), price * (RUNS - 1n));
    assert.ok(header);

    const again = await call({ 'sign-in-with-x': header });
    assert.equal(again.headers.get('x-idempotent-replay'), 'true');
    assert.equal(await again.text(), await answer.text());
    await refused(await call({ 'sign-in-with-x': header }, { address: stage.payTo }), 409, 'payment_already_used');
    assert.equal(await credit(), price * (RUNS - 1n), 'it was charged once');
  });

  it('@x402/fetch with the extension: credit is spent before dollars', async () => {
    const { account, price, credit } = await creditor();
    const client = x402Client.fromConfig({ schemes: [{ network: stage.market.network, client: new ExactEvmScheme(account) }], spendControls: false });
    client.registerExtension(createSIWxClientExtension({ signers: [account] }));
    const answer = await wrapFetchWithPayment(fetch, client)(stage.url, stage.request);
    assert.equal(answer.status, 200, await answer.text());
    assert.equal(await credit(), price * (RUNS - 1n));
    assert.deepEqual(await stage.market.transfers(account.address, stage.payTo), []);
  });

  it('@x402/fetch with the extension: without credit it pays as ever', async () => {
    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const client = x402Client.fromConfig({ schemes: [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }], spendControls: false });
    client.registerExtension(createSIWxClientExtension({ signers: [payer.account] }));
    const answer = await wrapFetchWithPayment(fetch, client)(stage.url, stage.request);
    assert.equal(answer.status, 200, await answer.clone().text());
    await stage.sold({ payer, answer: await answer.json(), receipt: receiptOf(answer.headers.get('payment-response')), price });
  });

  it('with a payment it says whose credit, for this payment only', async () => {
    const { buyer, account, price, credit } = await creditor();
    const accepted = await buyer.offer(AGENT, stage.input);
    /** @param {string} id */
    const payment = (id) => ({
      'payment-signature': encodePaymentSignatureHeader(/** @type {any} */ ({ x402Version: 2, accepted, payload: { credit: id } })),
    });
    const [one, other] = [payment(randomUUID()), payment(randomUUID())];
    await refused(await call(one), 401, 'not_signed_in');
    const signed = { 'sign-in-with-x': await signature(account) };
    const answer = await call({ ...one, ...signed });
    assert.equal(answer.status, 200, await answer.clone().text());
    const text = await answer.text();
    await refused(await call({ ...other, ...signed }), 401, 'bad_nonce');
    await refused(await call(signed), 401, 'bad_nonce');
    assert.equal(await (await call({ ...one, ...signed })).text(), text, 'the same request, the same answer');
    const later = { 'sign-in-with-x': await signature(account) };
    assert.equal(await (await call({ ...one, ...later })).text(), text, 'the same payment, signed for anew');
    assert.equal(await credit(), price * (RUNS - 1n), 'it was charged once');
  });

  it('twenty of the same at once are one run', async () => {
    const { account, price, credit } = await creditor();
    const header = { 'sign-in-with-x': await signature(account) };
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(header)));
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
    assert.equal(new Set(texts).size, 1);
    assert.equal(await credit(), price * (RUNS - 1n));
  });

  it('whoever was told to wait polls the run by its key, unsigned', async () => {
    const { account } = await creditor();
    const answer = await call({ 'sign-in-with-x': await signature(account), prefer: 'wait=0' });
    assert.equal(answer.status, 202, await answer.text());
    const location = new URL(answer.headers.get('location') ?? '', stage.url);
    // The key stands behind the #, which is not sent: it goes in a header.
    const headers = { authorization: `Bearer ${location.hash.replace('#key=', '')}` };
    for (const end = Date.now() + RUN_MS_MAX; ; await pause(100)) {
      const run = /** @type {any} */ (await (await fetch(location, { headers })).json());
      if (run.state === 'done') break;
      assert.ok(Date.now() < end, JSON.stringify(run));
    }
  });

  it('what was not signed here, now and by this wallet is refused', async () => {
    const { account, price, credit } = await creditor();
    const payload = await createSIWxPayload(challenge(await demand()), account, stage.url);
    /** @param {object} changed */
    const present = (changed) => call({ 'sign-in-with-x': encodeSIWxHeader({ ...payload, ...changed }) });
    await refused(await present({ address: freshAccount().address }), 401, 'bad_signature');
    await refused(await present({ statement: undefined }), 401, 'bad_signature');
    await refused(await present({ domain: 'evil.example' }), 401, 'bad_domain');
    await refused(await present({ uri: `${stage.shop.url}/api/x402/another` }), 401, 'bad_domain');
    await refused(await present({ chainId: 'eip155:1' }), 401, 'bad_domain');
    await refused(await present({ nonce: '0'.repeat(32) }), 401, 'bad_nonce');
    await refused(await present({ issuedAt: new Date().toISOString() }), 401, 'bad_nonce');
    await refused(await call({ 'sign-in-with-x': '%%%' }), 400, 'bad_payment_header');
    assert.equal(await credit(), price * RUNS, 'nothing was charged');
    assert.equal((await present({})).status, 200, 'and the signature was not used up');
  });

  it('the books balance', () => stage.booksBalance());
});
