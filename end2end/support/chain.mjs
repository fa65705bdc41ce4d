// A real chain node whose blocks come when the test says so.
//
// Anvil runs without mining of its own; a ticker here mines ten blocks a second, as Monad does, until a test stops it
// (`pause`) and mines by hand (`mine`). With one slot in an epoch, `finalized` is two blocks behind `latest`: a payment
// is final two blocks after its own.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';

export const CHAIN_ID = 31337;
const BLOCK_MS = 100;
/** Blocks after a payment's own until it is final. */
export const BLOCKS_TO_FINALITY = 2;
const ONE_COIN = 10n ** 18n;

/** The binary, not npm's shim: a shim that is killed leaves its child behind. */
function anvilBinary() {
  if (process.env.ANVIL) return process.env.ANVIL;
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch;
  try {
    const pkg = createRequire(import.meta.url).resolve(`@foundry-rs/anvil-${process.platform}-${cpu}/package.json`);
    const binary = path.join(path.dirname(pkg), 'bin/anvil');
    if (existsSync(binary)) return binary;
  } catch {
    // Not installed for this platform: PATH may have one.
  }
  return 'anvil';
}

export const ANVIL = anvilBinary();

export class Chain {
  /** @type {import('node:child_process').ChildProcess} */
  #process;
  /** @type {NodeJS.Timeout | undefined} */
  #ticker;
  #id = 0;

  /**
   * @param {import('node:child_process').ChildProcess} process
   * @param {string} url
   */
  constructor(process, url) {
    this.#process = process;
    this.url = url;
  }

  /** @param {number} chainId of the chain that it plays */
  static async start(chainId = CHAIN_ID) {
    const args = ['--port', '0', '--chain-id', String(chainId), '--slots-in-an-epoch', '1', '--no-mining', '--accounts', '1'];
    const child = spawn(ANVIL, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const url = await new Promise((resolve, reject) => {
      child.once('error', () => reject(new Error(`${ANVIL} does not start: run make setup`)));
      child.once('exit', (code) => reject(new Error(`anvil ended with ${code} before it listened`)));
      createInterface({ input: /** @type {import('node:stream').Readable} */ (child.stdout) }).on('line', (line) => {
        const address = /Listening on (\S+)/.exec(line)?.[1];
        if (address) resolve(`http://${address}`);
      });
    });
    const chain = new Chain(child, url);
    await chain.mine(5);
    chain.resume();
    return chain;
  }

  /**
   * @param {string} method
   * @param {unknown[]} params
   * @returns {Promise<any>}
   */
  async rpc(method, ...params) {
    const answer = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++this.#id, method, params }),
    });
    const { result, error } = /** @type {{ result: unknown, error?: { message: string } }} */ (await answer.json());
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** No block comes by itself any more. */
  pause() {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  resume() {
    // A tick that finds the node gone has nothing to report: whoever needs the block fails by itself.
    this.#ticker ??= setInterval(() => void this.rpc('evm_mine').catch(() => {}), BLOCK_MS);
  }

  async mine(blocks = 1) {
    for (let n = 0; n < blocks; n++) await this.rpc('evm_mine');
  }

  /**
   * @param {string} address
   * @param {bigint} wei
   */
  async fund(address, wei = 100n * ONE_COIN) {
    await this.rpc('anvil_setBalance', address, `0x${wei.toString(16)}`);
  }

  /**
   * @param {string} address
   * @returns {Promise<bigint>} wei
   */
  async balance(address) {
    return BigInt(await this.rpc('eth_getBalance', address, 'latest'));
  }

  /**
   * @param {string} address
   * @param {string} runtime
   */
  async setCode(address, runtime) {
    await this.rpc('anvil_setCode', address, runtime);
  }

  stop() {
    this.pause();
    this.#process.kill('SIGTERM');
  }
}
