// The official Python client, x402 with httpx.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { python, receiptOf, Stage } from './stage.mjs';

describe('x402 for Python', () => {
  /** @type {Stage} */
  let stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage?.close());

  /** @param {import('./stage.mjs').Payer} payer @param {unknown} controls */
  const buy = (payer, controls) =>
    python(path.join(import.meta.dirname, 'buy.py'), {
      PRIVATE_KEY: payer.privateKey,
      URL: stage.url,
      INPUT: JSON.stringify(stage.input),
      SPEND_CONTROLS: JSON.stringify(controls),
    });

  it('buys by EIP-3009, within its spend controls', async () => {
    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const { network, asset, maxAmountPerPayment } = stage.allowed(price);
    const printed = await buy(payer, { allowed_assets: [{ network, asset, max_amount_per_payment: maxAmountPerPayment }] });
    const { status, receipt, body } = JSON.parse(printed);
    assert.equal(status, 200, body);
    await stage.sold({ payer, answer: JSON.parse(body), receipt: receiptOf(receipt), price });
  });

  it('with its default spend controls it pays nothing', async () => {
    const payer = await stage.market.payer();
    await assert.rejects(buy(payer, {}), /spend_controls/);
    await stage.untouched(payer);
  });

  it('the books balance', () => stage.booksBalance());
});
