// The native coin, for a program: it sends the transaction itself and signs what it paid for, with viem and no session.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { encodePaymentSignatureHeader } from '@x402/core/http';
import { keccak256, stringToBytes } from 'viem';
import { Buyer, freshAccount } from '../support/buyer.mjs';
import { AGENT, receiptOf, Stage } from './stage.mjs';

const PAYMENT_PROOF = {
  PaymentProof: [
    { name: 'transaction', type: 'bytes32' },
    { name: 'from', type: 'address' },
    { name: 'payTo', type: 'address' },
    { name: 'amount', type: 'uint256' },
    { name: 'resource', type: 'string' },
    { name: 'offerHash', type: 'bytes32' },
    { name: 'requestHash', type: 'bytes32' },
    { name: 'validBefore', type: 'uint256' },
  ],
};

describe('a native payment with its proof', () => {
  /** @type {Stage} */
  let stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage?.close());

  async function paid() {
    const buyer = new Buyer(stage.shop.url, stage.market.chain.url, freshAccount());
    await stage.market.chain.fund(buyer.account.address);
    const offer = await buyer.offer(AGENT, stage.input);
    return { account: buyer.account, offer, transaction: await buyer.pay(offer) };
  }

  /**
   * @param {{ account: import('viem').PrivateKeyAccount, offer: import('../support/buyer.mjs').Offer, transaction: `0x${string}` }} paid
   * @param {{ signer?: import('viem').PrivateKeyAccount, seconds?: number }} how
   */
  async function proof({ account, offer, transaction }, { signer = account, seconds = 300 } = {}) {
    const requestHash = keccak256(stringToBytes(JSON.stringify(stage.input)));
    const validBefore = BigInt(Math.floor(Date.now() / 1000) + seconds);
    const signature = await signer.signTypedData({
      domain: { name: 'x402 Native Payment', version: '1', chainId: stage.market.chainId },
      types: PAYMENT_PROOF,
      primaryType: 'PaymentProof',
      message: {
        transaction,
        from: account.address,
        payTo: offer.payTo,
        amount: BigInt(offer.amount),
        resource: stage.url,
        offerHash: keccak256(stringToBytes(String(offer.extra.offer))),
        requestHash,
        validBefore,
      },
    });
    return { transaction, from: account.address, requestHash, validBefore: String(validBefore), signature };
  }

  /** @param {import('../support/buyer.mjs').Offer} accepted @param {object} payload @param {unknown} body */
  const call = (accepted, payload, body = stage.input) =>
    fetch(stage.url, {
      method: 'POST',
      headers: {
        ...stage.request.headers,
        'payment-signature': encodePaymentSignatureHeader(/** @type {any} */ ({ x402Version: 2, accepted, payload })),
      },
      body: JSON.stringify(body),
    });

  /** @param {Response} answer @param {number} status @param {string} code @param {RegExp} details */
  async function refused(answer, status, code, details) {
    const text = await answer.text();
    const body = JSON.parse(text);
    assert.deepEqual([answer.status, body.code], [status, code], text);
    assert.match(body.details, details);
  }

  it('buys a run, and the same request again is answered from the books', async () => {
    const payment = await paid();
    const payload = await proof(payment);
    const answer = await call(payment.offer, payload);
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    const receipt = receiptOf(answer.headers.get('payment-response'));
    assert.equal(receipt.transaction, payment.transaction);
    assert.equal(receipt.payer.toLowerCase(), payment.account.address.toLowerCase());
    assert.equal(await (await call(payment.offer, payload)).text(), text);
  });

  it('a hash that anybody can read on the chain buys nothing', async () => {
    const payment = await paid();
    const fine = await proof(payment);
    const eve = freshAccount();
    await refused(await call(payment.offer, { transaction: payment.transaction }), 401, 'payer_not_proven', /signature is missing/);
    await refused(await call(payment.offer, await proof(payment, { signer: eve })), 403, 'payer_mismatch', /was signed by/);
    await refused(await call(payment.offer, fine, { address: stage.payTo }), 401, 'payer_not_proven', /requestHash/);
    await refused(await call(payment.offer, await proof(payment, { seconds: -1 })), 401, 'payer_not_proven', /validBefore is over/);
    await refused(await call(payment.offer, await proof(payment, { seconds: 660 })), 401, 'payer_not_proven', /600 seconds/);
    await refused(await call(payment.offer, { ...fine, signature: `${fine.signature}${'6492'.repeat(16)}` }), 401, 'payer_not_proven', /ERC-6492/);
    const answer = await call(payment.offer, fine);
    assert.equal(answer.status, 200, await answer.text());
  });

  it('the books balance', () => stage.booksBalance());
});
