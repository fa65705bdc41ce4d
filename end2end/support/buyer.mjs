// A payer without a page: signs in and buys over plain HTTP, with viem in place of a wallet.

import { createWalletClient, http } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { createSiweMessage } from 'viem/siwe';
import { CHAIN_ID } from './chain.mjs';

const ANSWER_MS_MAX = 30_000;

/** @returns {import('viem').PrivateKeyAccount} An account of one test only, so that no other test's credit is in its way. */
export function freshAccount() {
  return privateKeyToAccount(generatePrivateKey());
}

/** @param {number} id @param {string} url */
export const viemChain = (id, url) => ({
  id,
  name: 'Local chain',
  nativeCurrency: { name: 'MON', symbol: 'MON', decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});

/**
 * @typedef {{ scheme: string, network: string, amount: string, asset: string, payTo: `0x${string}`, extra: Record<string, unknown> }} Offer
 * @typedef {{ status: number, headers: Headers, text: string, json: any }} Answer
 */

export class Buyer {
  /** `name=value`, as a browser would send it. */
  cookie = '';

  /**
   * @param {string} shop the shop's URL
   * @param {string} node the chain's URL
   * @param {import('viem').PrivateKeyAccount} account
   */
  constructor(shop, node, account = freshAccount()) {
    this.shop = shop;
    this.account = account;
    this.wallet = createWalletClient({ account, chain: viemChain(CHAIN_ID, node), transport: http(node) });
  }

  /**
   * What this site's own page would send: its origin and its cookie.
   * @param {string} path
   * @param {{ method?: string, headers?: Record<string, string>, body?: unknown }} request
   * @returns {Promise<Answer>}
   */
  async ask(path, { method = 'GET', headers = {}, body } = {}) {
    const answer = await fetch(this.shop + path, {
      method,
      headers: {
        accept: 'application/json',
        origin: this.shop,
        ...(this.cookie && { cookie: this.cookie }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = answer.headers.get('content-type')?.includes('json') && text ? JSON.parse(text) : undefined;
    return { status: answer.status, headers: answer.headers, text, json };
  }

  async signIn() {
    const { json: nonce } = await this.ask('/api/session/nonce', { method: 'POST', body: { address: this.account.address } });
    const message = createSiweMessage({
      domain: new URL(this.shop).host,
      address: this.account.address,
      statement: 'Sign in to Coinslot. It costs nothing and moves no money.',
      uri: this.shop,
      version: '1',
      chainId: CHAIN_ID,
      nonce: nonce.nonce,
      issuedAt: new Date(nonce.issuedAt),
      expirationTime: new Date(nonce.expirationTime),
    });
    const signature = await this.account.signMessage({ message });
    const answer = await this.ask('/api/session', { method: 'POST', body: { message, signature } });
    if (answer.status >= 300) throw new Error(`signing in: ${answer.status} ${answer.text}`);
    this.cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    return this;
  }

  /** @param {'underWay' | 'arrived'} name */
  async session(name) {
    return (await this.ask('/api/session')).json[name];
  }

  /** What stands to the payer's credit, by asset; what came to nothing is left out. */
  async credit() {
    /** @type {{ amount: string }[]} */
    const all = (await this.ask('/api/session')).json.credit;
    return all.filter(({ amount }) => amount !== '0');
  }

  /**
   * @param {string} agent
   * @param {unknown} input
   * @returns {Promise<Offer>} the native offer of the 402
   */
  async offer(agent, input) {
    const answer = await this.ask(`/api/x402/${agent}`, { method: 'POST', body: input });
    if (answer.status !== 402) throw new Error(`expected a price, got ${answer.status} ${answer.text}`);
    const required = JSON.parse(Buffer.from(answer.headers.get('payment-required') ?? '', 'base64').toString());
    return required.accepts.find((/** @type {Offer} */ offer) => offer.asset === 'native');
  }

  /**
   * @param {{ payTo: `0x${string}`, amount: string }} offer
   * @param {bigint} [wei] another amount than the price
   */
  async pay(offer, wei = BigInt(offer.amount)) {
    return this.wallet.sendTransaction({ to: offer.payTo, value: wei, gas: 21_000n });
  }

  /**
   * The same call with its payment, again and again while the answer is 202.
   * @param {string} agent
   * @param {unknown} input
   * @param {Record<string, string>} payment headers
   */
  async call(agent, input, payment) {
    const end = Date.now() + ANSWER_MS_MAX;
    for (;;) {
      const answer = await this.ask(`/api/x402/${agent}`, { method: 'POST', body: input, headers: payment });
      if (answer.status !== 202 || Date.now() > end) return answer;
    }
  }

  /**
   * Offer, payment, answer.
   * @param {string} agent
   * @param {unknown} input
   * @param {bigint} [wei] another amount than the price
   */
  async buy(agent, input, wei) {
    const offer = await this.offer(agent, input);
    const transaction = await this.pay(offer, wei);
    const payment = Buffer.from(JSON.stringify({ x402Version: 2, accepted: offer, payload: { transaction } })).toString('base64');
    return { offer, transaction, answer: await this.call(agent, input, { 'payment-signature': payment }) };
  }
}
