// A remote facilitator, made of the official packages alone: what Coinslot's `facilitator_url` talks to.

import { createServer } from 'node:http';
import { x402Facilitator } from '@x402/core/facilitator';
import { toFacilitatorEvmSigner } from '@x402/evm';
import { ExactEvmScheme } from '@x402/evm/exact/facilitator';
import { createWalletClient, http, publicActions } from 'viem';
import { freshAccount } from '../support/buyer.mjs';

/**
 * @param {import('./stage.mjs').Market} market
 */
export async function startFacilitator(market) {
  const account = freshAccount();
  await market.chain.fund(account.address);
  const client = createWalletClient({ account, chain: market.viemChain, transport: http(market.chain.url), pollingInterval: 50 })
    .extend(publicActions);
  const signer = toFacilitatorEvmSigner(/** @type {any} */ ({ ...client, address: account.address }));
  const facilitator = new x402Facilitator().register(market.network, new ExactEvmScheme(signer));

  /** How often it was asked for what. @type {Record<string, number>} */
  const asked = {};
  /** What it was told, one after the other. @type {{ what: string, body: any }[]} */
  const heard = [];
  const server = createServer(async (request, response) => {
    const what = `${request.method} ${request.url}`;
    asked[what] = (asked[what] ?? 0) + 1;
    try {
      let text = '';
      for await (const part of request) text += part;
      const body = text ? JSON.parse(text) : {};
      heard.push({ what, body });
      const answer = await answerTo(what, body);
      response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? { error: 'not found' }));
    } catch (error) {
      response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: String(error) }));
    }
  }).listen(0, '127.0.0.1');

  /** @param {string} what @param {any} body */
  async function answerTo(what, { paymentPayload, paymentRequirements }) {
    switch (what) {
      case 'GET /supported':
        return facilitator.getSupported();
      case 'POST /verify':
        return facilitator.verify(paymentPayload, paymentRequirements);
      case 'POST /settle':
        return facilitator.settle(paymentPayload, paymentRequirements);
      default:
        return undefined;
    }
  }

  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    address: account.address,
    asked,
    heard,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
