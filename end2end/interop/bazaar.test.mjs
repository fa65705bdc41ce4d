// The Bazaar: what a facilitator hears of a payment is enough for the reference to list what was bought.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodePaymentRequiredHeader } from '@x402/core/http';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { extractDiscoveryInfo } from '@x402/extensions/bazaar';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { startFacilitator } from './facilitator.mjs';
import { AGENT, Stage } from './stage.mjs';

describe('bazaar', () => {
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

  /** What the reference lists. @param {any} payment @param {any} requirements */
  function listed(payment, requirements) {
    const found = /** @type {any} */ (extractDiscoveryInfo(payment, requirements));
    assert.ok(found, `it lists nothing of ${JSON.stringify(payment)}`);
    return found;
  }

  /** @param {any} found @param {{ slug: string, url: string, summary: string, example: unknown }} agent */
  function isListed(found, { slug, url, summary, example }) {
    const { resourceUrl, method, description, mimeType, discoveryInfo } = found;
    assert.deepEqual({ resourceUrl, method, description, mimeType }, { resourceUrl: url, method: 'POST', description: summary, mimeType: 'application/json' }, slug);
    assert.deepEqual(discoveryInfo.input, { type: 'http', method: 'POST', bodyType: 'json', body: example }, slug);
  }

  /** @returns {Promise<any[]>} */
  const agents = async () => /** @type {any} */ ((await fetch(`${stage.shop.url}/api/agents`)).json());

  it('f2 what the shop sends to its facilitator is catalogued, by verify and by settle', async () => {
    const agent = (await agents()).find(({ slug }) => slug === AGENT);
    for (const method of /** @type {const} */ (['eip3009', 'permit2'])) {
      facilitator.heard.length = 0;
      const payer = await stage.market.payer();
      if (method === 'permit2') await stage.market.approvePermit2(payer);
      const pay = wrapFetchWithPaymentFromConfig(fetch, {
        schemes: [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }],
        spendControls: false,
        policies: [(_version, offers) => offers.filter(({ extra }) => extra.assetTransferMethod === method)],
      });
      const answer = await pay(stage.url, stage.request);
      assert.equal(answer.status, 200, await answer.text());
      for (const what of ['POST /verify', 'POST /settle']) {
        const heard = facilitator.heard.filter((one) => one.what === what);
        assert.ok(heard.length, `${method}: ${what}`);
        for (const { body } of heard) isListed(listed(body.paymentPayload, body.paymentRequirements), agent);
      }
    }
  });

  it('f2 so is a payment of a client that echoes nothing', async () => {
    const agent = (await agents()).find(({ slug }) => slug === AGENT);
    facilitator.heard.length = 0;
    const payer = await stage.market.payer();
    const bare = /** @type {typeof fetch} */ (async (input, init) => {
      const request = new Request(input instanceof Request ? input.clone() : input, init);
      const header = request.headers.get('payment-signature');
      if (!header) return fetch(request);
      const { resource: _, extensions: __, ...payment } = JSON.parse(Buffer.from(header, 'base64').toString());
      request.headers.set('payment-signature', Buffer.from(JSON.stringify(payment)).toString('base64'));
      return fetch(request);
    });
    const schemes = [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }];
    const answer = await wrapFetchWithPaymentFromConfig(bare, { schemes, spendControls: false })(stage.url, stage.request);
    assert.equal(answer.status, 200, await answer.text());
    const settled = facilitator.heard.filter(({ what }) => what === 'POST /settle');
    assert.ok(settled.length);
    for (const { body } of settled) isListed(listed(body.paymentPayload, body.paymentRequirements), agent);
  });

  it('f2 every agent can be listed', async () => {
    for (const agent of await agents()) {
      const answer = await fetch(agent.url, { ...stage.request, body: JSON.stringify(agent.example) });
      const required = decodePaymentRequiredHeader(answer.headers.get('payment-required') ?? '');
      const payment = { x402Version: 2, resource: required.resource, extensions: required.extensions, accepted: required.accepts[0], payload: {} };
      isListed(listed(payment, required.accepts[0]), agent);
    }
  });

  it('the books balance', () => stage.booksBalance());
});
