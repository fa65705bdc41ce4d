// What each official client meets here: a chain with the demo dollar on it, the real binary that takes it, and payers who own
// dollars and not one wei: whoever settles pays the network.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createWalletClient, encodeFunctionData, http, pad, parseAbi } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { freshAccount, viemChain } from '../support/buyer.mjs';
import { Chain, CHAIN_ID } from '../support/chain.mjs';
import { freePort, Shop } from '../support/shop.mjs';

/**
 * @typedef {`0x${string}`} Hex
 * @typedef {{ privateKey: Hex, account: import('viem').PrivateKeyAccount, address: Hex }} Payer
 * @typedef {{ scheme: string, network: `eip155:${number}`, amount: string, asset: Hex, payTo: Hex, maxTimeoutSeconds: number,
 *   extra: Record<string, any> }} Offer
 * @typedef {{ success: boolean, transaction: Hex, network: string, payer: string, amount?: string }} Receipt
 */

export const AGENT = 'contract-xray';
/** Where the real ones are on every chain; the stand-ins have no constructor, so that their code alone makes them complete. */
const PERMIT2 = '0x000000000022D473030F116dDEE9F6B43aC78BA3';
const EXACT_PROXY = '0x402085c248EeA27D92E8b30b2C58ed07f9E20001';
/** keccak256("Transfer(address,address,uint256)") */
const TRANSFER = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';
/** In the smallest unit of the demo dollar, which has six decimals. */
const TEN_DOLLARS = 10_000_000n;
const RECEIPT_MS_MAX = 10_000;
const CLIENT_MS_MAX = 60_000;

const token = parseAbi([
  'function mint(address to, uint256 value)',
  'function approve(address spender, uint256 value)',
  'function balanceOf(address account) view returns (uint256)',
]);

/** @param {string} name @returns {{ creation: string, runtime: string }} */
function artifact(name) {
  return JSON.parse(readFileSync(path.join(import.meta.dirname, `../contracts/out/${name}.json`), 'utf8'));
}

/** A chain with the demo dollar and the stand-ins of Permit2 on it. */
export class Market {
  /** @type {import('viem').WalletClient} */
  #deployer;
  /** @type {import('viem').PrivateKeyAccount} */
  #account = freshAccount();

  /** @param {Chain} chain @param {number} chainId */
  constructor(chain, chainId) {
    this.chain = chain;
    this.chainId = chainId;
    this.network = /** @type {const} */ (`eip155:${chainId}`);
    this.viemChain = viemChain(chainId, chain.url);
    this.#deployer = createWalletClient({ chain: this.viemChain, transport: http(chain.url) });
    /** @type {Hex} */
    this.dollar = '0x';
  }

  static async open(chainId = CHAIN_ID) {
    const market = new Market(await Chain.start(chainId), chainId);
    await market.chain.fund(market.#account.address);
    const receipt = await market.#send({ data: `0x${artifact('DemoDollar').creation}` });
    market.dollar = receipt.contractAddress;
    await market.chain.setCode(PERMIT2, `0x${artifact('Permit2Standin').runtime}`);
    await market.chain.setCode(EXACT_PROXY, `0x${artifact('ExactProxyStandin').runtime}`);
    return market;
  }

  /**
   * @param {{ to?: Hex, data: Hex }} call
   * @param {import('viem').PrivateKeyAccount} account
   */
  async #send(call, account = this.#account) {
    const hash = await this.#deployer.sendTransaction({ account, chain: this.viemChain, ...call });
    return this.mined(hash);
  }

  /** @param {Hex} hash */
  async mined(hash) {
    for (const end = Date.now() + RECEIPT_MS_MAX; Date.now() < end; await new Promise((next) => setTimeout(next, 50))) {
      const receipt = await this.chain.rpc('eth_getTransactionReceipt', hash);
      if (receipt) {
        assert.equal(receipt.status, '0x1', `${hash} was reverted`);
        return receipt;
      }
    }
    throw new Error(`${hash} was not mined within ${RECEIPT_MS_MAX} ms`);
  }

  /** Somebody new, with ten dollars and no coin of the network. @returns {Promise<Payer>} */
  async payer() {
    const privateKey = generatePrivateKey();
    const account = privateKeyToAccount(privateKey);
    const data = encodeFunctionData({ abi: token, functionName: 'mint', args: [account.address, TEN_DOLLARS] });
    await this.#send({ to: this.dollar, data });
    return { privateKey, account, address: account.address };
  }

  /** As everybody who pays through Permit2 has done once: the one payment of theirs that costs gas. @param {Payer} payer */
  async approvePermit2({ account, address }) {
    await this.chain.fund(address);
    const data = encodeFunctionData({ abi: token, functionName: 'approve', args: [PERMIT2, 2n ** 256n - 1n] });
    await this.#send({ to: this.dollar, data }, account);
  }

  /** @param {string} account @returns {Promise<bigint>} */
  async dollars(account) {
    const data = encodeFunctionData({ abi: token, functionName: 'balanceOf', args: [/** @type {Hex} */ (account)] });
    return BigInt(await this.chain.rpc('eth_call', { to: this.dollar, data }, 'latest'));
  }

  /** Every transfer of dollars between the two since the chain began. @param {string} from @param {string} to */
  async transfers(from, to) {
    const topics = [TRANSFER, pad(/** @type {Hex} */ (from)), pad(/** @type {Hex} */ (to))];
    /** @type {{ transactionHash: Hex, data: Hex }[]} */
    const logs = await this.chain.rpc('eth_getLogs', { fromBlock: '0x0', toBlock: 'latest', address: this.dollar, topics });
    return logs.map(({ transactionHash, data }) => ({ transaction: transactionHash, amount: BigInt(data) }));
  }

  stop() {
    this.chain.stop();
  }
}

/**
 * As an operator writes it: one network, its dollar, and who settles.
 * @param {Market} market
 * @param {{ payTo: string, operatorKey?: string | undefined, facilitator?: string | undefined }} shop
 */
function settings({ chain, chainId, dollar }, { payTo, operatorKey, facilitator }) {
  return `[coinslot]
pay_to = "${payTo}"
networks = ["here"]
${operatorKey ? `operator_key = "${operatorKey}"` : ''}
limit_pages_per_s = 0
limit_api_per_s = 0
limit_sign_in_per_min = 0

[coinslot.network.here]
chain_id = ${chainId}
name = "Local chain"
slug = "local"
symbol = "MON"
decimals = 18
rpc_urls = ["${chain.url}"]
finality = "finalized"
poll_ms = 100
timeout_ms = 4000
wallet_rpc_url = "${chain.url}"
gas_price_hint_gwei = 100
explorer = ""
faucet = ""
${facilitator ? `facilitator_url = "${facilitator}"` : ''}

[coinslot.network.here.token.usdc]
address = "${dollar}"
name = "Demo Dollar"
version = "2"
decimals = 6
eip3009 = true
permit2 = true
`;
}

export class Stage {
  /**
   * @param {Market} market
   * @param {Shop} shop
   * @param {Hex} payTo
   */
  constructor(market, shop, payTo) {
    this.market = market;
    this.shop = shop;
    this.payTo = payTo;
    this.url = `${shop.url}/api/x402/${AGENT}`;
    /** The dollar itself is a contract that is worth a look. */
    this.input = { address: market.dollar };
  }

  /** @param {{ chainId?: number, facilitator?: (market: Market) => Promise<string> }} options `facilitator`: a remote one, instead of the shop's own */
  static async open({ chainId, facilitator } = {}) {
    const market = await Market.open(chainId);
    const payTo = freshAccount().address;
    const operatorKey = generatePrivateKey();
    await market.chain.fund(privateKeyToAccount(operatorKey).address);
    const settles = facilitator ? { facilitator: await facilitator(market) } : { operatorKey };
    const shop = new Shop('serve', await freePort(), { settings: settings(market, { payTo, ...settles }) });
    try {
      await shop.start();
    } catch (why) {
      // A node that is left running would keep the test from ending.
      market.stop();
      throw why;
    }
    return new Stage(market, shop, payTo);
  }

  /** The request that every client here is given. */
  get request() {
    return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(this.input) };
  }

  /** What a client of version 2 reads. @returns {Promise<Offer[]>} */
  async offers() {
    const answer = await fetch(this.url, this.request);
    assert.equal(answer.status, 402, await answer.text());
    return JSON.parse(Buffer.from(answer.headers.get('payment-required') ?? '', 'base64').toString()).accepts;
  }

  /** @param {'eip3009' | 'permit2'} method */
  async price(method) {
    const offer = (await this.offers()).find(({ extra }) => extra.assetTransferMethod === method);
    assert.ok(offer, `there is an offer by ${method}`);
    return BigInt(offer.amount);
  }

  /** The spend control of every client here: this token, and no more of it than the price. @param {bigint} price */
  allowed(price) {
    return { network: this.market.network, asset: this.market.dollar, maxAmountPerPayment: String(price) };
  }

  /**
   * What the payer has to show for the payment, and what the chain says: one answer, one receipt, one transfer.
   * @param {{ payer: Payer, answer: any, receipt: Receipt, price: bigint, network?: string, of?: RegExp }} sale `of`: what the answer holds
   */
  async sold({ payer, answer, receipt, price, network = this.market.network, of = /transferWithAuthorization/ }) {
    assert.match(JSON.stringify(answer), of);
    assert.equal(receipt.success, true);
    assert.equal(receipt.network, network);
    assert.equal(receipt.payer.toLowerCase(), payer.address.toLowerCase());
    const transfers = await this.market.transfers(payer.address, this.payTo);
    assert.deepEqual(transfers, [{ transaction: receipt.transaction.toLowerCase(), amount: price }], 'one transfer, the receipt names it');
    assert.equal(await this.market.dollars(payer.address), TEN_DOLLARS - price);
  }

  /** @param {Payer} payer */
  async untouched(payer) {
    assert.deepEqual(await this.market.transfers(payer.address, this.payTo), []);
  }

  /** Stops the shop: `coinslot books` proves every unit of what was sold. */
  async booksBalance() {
    await this.shop.stop();
    await this.shop.books();
  }

  async close() {
    await this.shop.stop();
    this.shop.forget();
    this.market.stop();
  }
}

/** `scripts/setup.sh test` makes it, from requirements.txt. */
const PYTHON =
  process.env.X402_PYTHON || path.join(process.env.COINSLOT_CACHE || path.join(os.homedir(), '.cache/coinslot'), 'python/bin/python');

/**
 * Runs a program with the payer's key in its environment, as the snippets want it. Rejects, with what it said, if it fails.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string> }} options
 * @returns {Promise<string>} stdout
 */
export async function run(program, args, { cwd, env } = {}) {
  try {
    const options = { ...(cwd && { cwd }), env: { ...process.env, ...env }, timeout: CLIENT_MS_MAX, maxBuffer: 16 * 1024 * 1024 };
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (error) {
    const { message, stdout = '', stderr = '' } = /** @type {Error & { stdout?: string, stderr?: string }} */ (error);
    throw new Error(`${program} ${args.join(' ')}: ${message}\n${stdout}${stderr}`);
  }
}

/** @param {string} script @param {Record<string, string>} env */
export function python(script, env) {
  return run(PYTHON, [script], { env: { PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1', ...env } });
}

/** A folder outside the source in which `import` finds this suite's packages. Whoever asks for it removes it. */
export function folder() {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'coinslot-interop-'));
  symlinkSync(path.join(import.meta.dirname, '../node_modules'), path.join(directory, 'node_modules'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** @param {string | null | undefined} header @returns {Receipt} */
export function receiptOf(header) {
  assert.ok(header, 'the answer comes with its receipt');
  return JSON.parse(Buffer.from(header, 'base64').toString());
}
