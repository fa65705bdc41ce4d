// x402 over MCP: the official SDK with the official client's payment in `_meta`, and the official Python packages for both.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { x402Client } from '@x402/core/client';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { python, Stage } from './stage.mjs';

describe('x402 over MCP', () => {
  /** @type {Stage} */
  let stage;
  /** @type {Client} */
  let client;
  /** @type {string} */
  let name;
  before(async () => {
    stage = await Stage.open();
    client = new Client({ name: 'coinslot-interop', version: '1' });
    // The SDK's own types and the strictest compiler options disagree about it.
    await client.connect(/** @type {any} */ (new StreamableHTTPClientTransport(new URL(`${stage.shop.url}/mcp`))));
  });
  after(async () => {
    await client?.close();
    await stage?.close();
  });

  it('the agent is a tool, with the schema of its input', async () => {
    const { tools } = await client.listTools();
    const tool = tools.find((tool) => /^contract.xray$/.test(tool.name));
    assert.ok(tool, JSON.stringify(tools));
    assert.ok(tool.inputSchema.properties?.address, JSON.stringify(tool.inputSchema));
    name = tool.name;
  });

  it('@modelcontextprotocol/sdk: a call that is not paid is told the price, a paid one has its answer and its receipt', async () => {
    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const payments = x402Client.fromConfig({
      schemes: [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }],
      spendControls: { allowedAssets: [stage.allowed(price)] },
    });
    const call = { name, arguments: stage.input };

    const unpaid = await client.callTool(call);
    assert.equal(unpaid.isError, true);
    const required = /** @type {any} */ (unpaid.structuredContent);
    assert.equal(required.x402Version, 2);
    const [text] = /** @type {{ text: string }[]} */ (unpaid.content);
    assert.deepEqual(JSON.parse(text?.text ?? ''), required, 'the same as text, for clients that read no structured content');

    const payment = await payments.createPaymentPayload(required);
    const paid = await client.callTool({ ...call, _meta: { 'x402/payment': payment } });
    assert.ok(!paid.isError, JSON.stringify(paid.content));
    const receipt = /** @type {any} */ (paid._meta?.['x402/payment-response']);
    await stage.sold({ payer, answer: paid.content, receipt, price });
  });

  it('mcp and x402.mcp for Python: one call pays by itself', async () => {
    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const { network, asset, maxAmountPerPayment } = stage.allowed(price);
    const printed = await python(path.join(import.meta.dirname, 'buy_tool.py'), {
      PRIVATE_KEY: payer.privateKey,
      URL: `${stage.shop.url}/mcp`,
      TOOL: name,
      INPUT: JSON.stringify(stage.input),
      SPEND_CONTROLS: JSON.stringify({ allowed_assets: [{ network, asset, max_amount_per_payment: maxAmountPerPayment }] }),
    });
    const { error, paid, receipt, content } = JSON.parse(printed);
    assert.equal(error, false, printed);
    assert.equal(paid, true, printed);
    await stage.sold({ payer, answer: content, receipt, price });
  });

  it('the books balance', async () => {
    await client.close();
    await stage.booksBalance();
  });
});
