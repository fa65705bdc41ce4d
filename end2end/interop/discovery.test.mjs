// The registries' own tool (x402scan, agentcash): what it makes of this shop, before anybody pays.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  checkEndpointSchema, checkL2ForOpenAPI, discoverOriginSchema, getOpenAPI, getWarningsForL2, getWarningsForOpenAPI, validatePaymentRequiredDetailed,
} from '@agentcash/discovery';
import { AGENT, Stage } from './stage.mjs';

/** What each agent that needs no language model costs in dollars. */
const PRICE = '0.001 USD';

describe('@agentcash/discovery', () => {
  /** @type {Stage} */
  let stage;
  /** @type {{ slug: string, url: string, summary: string, example: Record<string, unknown>, inputSchema: any }[]} */
  let agents;
  before(async () => {
    stage = await Stage.open();
    agents = /** @type {any} */ (await (await fetch(`${stage.shop.url}/api/agents`)).json());
    assert.ok(agents.length > 3 && agents.some(({ slug }) => slug === AGENT));
  });
  after(() => stage?.close());

  /** @param {{ slug: string }} agent */
  const pathOf = ({ slug }) => `/api/x402/${slug}`;

  it('f1 lists each agent once, paid and with its price', async () => {
    const found = /** @type {any} */ (await discoverOriginSchema({ target: stage.shop.url }));
    assert.equal(found.found, true, JSON.stringify(found));
    const listed = found.endpoints
      .filter((/** @type {any} */ { path }) => path.startsWith('/api/x402/'))
      .map((/** @type {any} */ { method, path, authMode, price, protocols, summary }) => ({ method, path, authMode, price, protocols, named: Boolean(summary) }));
    const wanted = agents.map((agent) => ({ method: 'POST', path: pathOf(agent), authMode: 'paid', price: PRICE, protocols: ['x402'], named: true }));
    const byPath = (/** @type {any} */ one, /** @type {any} */ other) => one.path.localeCompare(other.path);
    assert.deepEqual(listed.sort(byPath), wanted.sort(byPath));
    assert.ok(found.guidanceAvailable, 'and says how to buy');
    const others = found.endpoints.filter((/** @type {any} */ { path }) => !path.startsWith('/api/x402/'));
    assert.ok(!others.some((/** @type {any} */ { authMode }) => /paid|siwx/.test(authMode)), 'nothing else is on sale');
  });

  it('f1 reads each agent’s types to their end, Contract X-ray’s too', async () => {
    for (const agent of agents) {
      const checked = /** @type {any} */ (await checkEndpointSchema({ url: agent.url }));
      assert.equal(checked.advisories?.length, 1, `${agent.slug}: ${JSON.stringify(checked)}`);
      const [advisory] = checked.advisories;
      assert.deepEqual([advisory.method, advisory.authMode, advisory.estimatedPrice, advisory.protocols], ['POST', 'paid', PRICE, ['x402']], agent.slug);
      const body = advisory.inputSchema.requestBody ?? advisory.inputSchema;
      assert.deepEqual(Object.keys(body.properties), Object.keys(agent.inputSchema.properties), agent.slug);
      assert.ok(advisory.outputSchema?.properties, agent.slug);
    }
  });

  it('f1 asks the address itself: paid, on these networks, with this input', async () => {
    const offers = (await stage.offers()).map(({ network, asset, amount }) => ({ network, asset: /** @type {string} */ (asset), amount }));
    assert.ok(offers.some(({ asset }) => asset === 'native') && offers.some(({ asset }) => asset !== 'native'));
    for (const agent of agents) {
      const checked = /** @type {any} */ (await checkEndpointSchema({ url: agent.url, probe: true }));
      // It tries every method, and each of them that asks the price is told the same.
      const told = checked.advisories.filter((/** @type {any} */ { paymentRequiredBody }) => paymentRequiredBody);
      assert.deepEqual(told.map((/** @type {any} */ { method }) => method).sort(), ['GET', 'HEAD', 'POST'], agent.slug);
      for (const advisory of told) {
        assert.equal(advisory.authMode, 'paid', `${agent.slug}: never free for whoever signs in`);
        const options = advisory.paymentOptions.map((/** @type {any} */ { network, asset, amount }) => ({ network, asset, amount }));
        assert.deepEqual(options, offers, agent.slug);
        assert.deepEqual(Object.keys(advisory.inputSchema.properties), Object.keys(agent.inputSchema.properties), agent.slug);
        const judged = validatePaymentRequiredDetailed(advisory.paymentRequiredBody);
        assert.equal(judged.valid, true, JSON.stringify(judged.issues));
      }
    }
  });

  it('f1 has nothing to complain about', async () => {
    const openApi = /** @type {any} */ ((await getOpenAPI(stage.shop.url))._unsafeUnwrap());
    assert.deepEqual(getWarningsForOpenAPI(openApi), []);
    assert.deepEqual(getWarningsForL2(checkL2ForOpenAPI(openApi)), []);
  });
});
