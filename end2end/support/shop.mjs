// The real binary, started, killed and started again: on one port, over one data directory.

import { execFile, spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ANVIL, CHAIN_ID } from './chain.mjs';

const START_MS_MAX = 20_000;

/** What this suite tests: `make build` put it there. */
export const DIST = process.env.COINSLOT_BIN ?? path.resolve(import.meta.dirname, '../../dist/coinslot');

/** A port that nobody listens on. @returns {Promise<number>} */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The tests' own settings, and no others: a `COINSLOT_…` of the developer's shell would change what is tested. */
function environment() {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('COINSLOT_'));
  const PATH = path.isAbsolute(ANVIL) ? `${path.dirname(ANVIL)}:${process.env.PATH}` : process.env.PATH;
  return { ...Object.fromEntries(kept), PATH, ANVIL };
}

/**
 * One local network, polled often, so that a test waits for blocks and not for us.
 * @param {{ payTo: string, rpcUrl: string, walletRpcUrl: string, dollars?: { token: string, operatorKey: string }, modelUrl?: string, sponsorsGas?: boolean }} chain
 */
export function settings({ payTo, rpcUrl, walletRpcUrl, dollars, modelUrl, sponsorsGas = false }) {
  return `[coinslot]
pay_to = "${payTo}"
networks = ["local"]${dollars ? `\noperator_key = "${dollars.operatorKey}"` : ''}${modelUrl ? `\nmodel_url = "${modelUrl}"\nmodel_name = "scripted-1"` : ''}
# One visitor does here what hundreds do elsewhere.
limit_pages_per_s = 0
limit_api_per_s = 0
limit_sign_in_per_min = 0

[coinslot.network.local]
chain_id = ${CHAIN_ID}
name = "Local chain"
slug = "local"
symbol = "MON"
decimals = 18
rpc_urls = ["${rpcUrl}"]
finality = "finalized"
poll_ms = 100
wallet_rpc_url = "${walletRpcUrl}"
gas_price_hint_gwei = 100${sponsorsGas ? '\nwallet_sponsors_gas = true' : ''}
${dollars ? `
[coinslot.network.local.token.usdc]
address = "${dollars.token}"
name = "Demo Dollar"
version = "2"
decimals = 6
eip3009 = true
permit2 = true
` : ''}`;
}

export class Shop {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process;
  #args;

  /**
   * @param {'serve' | 'demo'} command
   * @param {number} port
   * @param {{ settings?: string, binary?: string }} options
   */
  constructor(command, port, { settings, binary = DIST } = {}) {
    this.binary = binary;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'coinslot-'));
    this.log = path.join(this.directory, 'log');
    this.#args = [command, '--addr', `127.0.0.1:${port}`, ...this.#where()];
    if (settings) {
      const config = path.join(this.directory, 'settings.toml');
      writeFileSync(config, settings);
      this.#args.push('--config', config);
    }
  }

  #where() {
    return ['--data', path.join(this.directory, 'data')];
  }

  get pid() {
    return this.#process?.pid;
  }

  get running() {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Resolves when it says that it is open: it answers before, and takes payments on its networks from then on. */
  async start() {
    const child = spawn(this.binary, this.#args, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    const log = createWriteStream(this.log, { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    /** @type {Error | undefined} */
    let failed;
    child.once('error', (error) => (failed = error));
    let printed = '';
    child.stdout?.on('data', (part) => (printed += part));
    for (const end = Date.now() + START_MS_MAX; Date.now() < end; await pause(25)) {
      if (failed) throw new Error(`${this.binary} does not start (run make build): ${failed.message}`);
      if (!this.running) throw new Error(`${this.binary} ended at once:\n${await this.said()}`);
      if (printed.includes('is open at') && (await this.alive())) return;
    }
    throw new Error(`${this.binary} did not answer within ${START_MS_MAX} ms:\n${await this.said()}`);
  }

  async alive() {
    return fetch(`${this.url}/healthz`).then((answer) => answer.ok, () => false);
  }

  /** Everything it wrote, of every start. */
  async said() {
    return readFile(this.log, 'utf8').catch(() => '');
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const child = this.#process;
    if (!child || !this.running) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** As a power cut does: nothing is finished, nothing is said. */
  async kill9() {
    await this.#end('SIGKILL');
  }

  /** As Ctrl-C does. */
  async stop() {
    await this.#end('SIGINT');
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  /** `coinslot books` over this shop's data. Rejects, with what it printed, if a single unit is not where it belongs. */
  async books() {
    const config = this.#args.slice(this.#args.indexOf('--data'));
    try {
      return (await promisify(execFile)(this.binary, ['books', ...config], { env: environment() })).stdout;
    } catch (error) {
      const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
      throw new Error(`the books do not balance:\n${stdout}${stderr}`);
    }
  }

  forget() {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
