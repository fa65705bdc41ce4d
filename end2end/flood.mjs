// Made-up hashes against the real binary (S1): what an honest call takes meanwhile, and what the shop's memory and database grow to.
//
//   node flood.mjs [--wallets 1800] [--hashes 3] [--kib 64] [--delay 50] [--at-once 64] [--binary ../dist/coinslot]
//
// A node that takes `--delay` ms for each request stands before anvil. All signatures are made before the clock starts, so that what is measured is the
// shop. Each made-up hash is shown once, as a flooder would; the honest payers, who come one after the other while it lasts, repeat on 202 and 429.
// The three figures come last; exit 1 where one of them misses its goal (5 s, 50 MB, 10 MB), or the books do not balance.

import { createServer } from 'node:http';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { keccak256, stringToBytes, toHex } from 'viem';
import { Buyer, freshAccount } from './support/buyer.mjs';
import { Chain, CHAIN_ID } from './support/chain.mjs';
import { DIST, freePort, settings, Shop } from './support/shop.mjs';

const GOALS = { seconds: 5, memoryMb: 50, databaseMb: 10 };
const AGENT = 'contract-xray';
const PAY_TO = '0xc0157070c0157070c0157070c0157070c0157070';
/** A contract that is put there, so that there is an answer. */
const INPUT = { address: '0x00000000000000000000000000000000000000ee' };

const CODE = path.join(import.meta.dirname, 'contracts/out/DemoToken.json');

const { values } = parseArgs({
  options: {
    wallets: { type: 'string', default: '1800' },
    hashes: { type: 'string', default: '3' },
    kib: { type: 'string', default: '64' },
    delay: { type: 'string', default: '50' },
    'at-once': { type: 'string', default: '64' },
    binary: { type: 'string', default: DIST },
  },
});
const [wallets, hashes, kib] = [Number(values.wallets), Number(values.hashes), Number(values.kib)];
const [delay, atOnce] = [Number(values.delay), Number(values['at-once'])];

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

/** White space counts: the same input, as long as is wanted. @param {number} n @param {number} bytes */
function body(n, bytes) {
  const text = JSON.stringify(INPUT);
  return ' '.repeat(bytes - text.length - (n % 16)) + text + ' '.repeat(n % 16);
}

/**
 * @param {import('viem').PrivateKeyAccount} account
 * @param {import('./support/buyer.mjs').Offer} offer
 * @param {`0x${string}`} transaction
 * @param {string} text
 * @param {string} resource
 */
async function payment(account, offer, transaction, text, resource) {
  const requestHash = keccak256(stringToBytes(text));
  const validBefore = BigInt(Math.floor(Date.now() / 1000) + 590);
  const signature = await account.signTypedData({
    domain: { name: 'x402 Native Payment', version: '1', chainId: CHAIN_ID },
    types: PAYMENT_PROOF,
    primaryType: 'PaymentProof',
    message: {
      transaction,
      from: account.address,
      payTo: offer.payTo,
      amount: BigInt(offer.amount),
      resource,
      offerHash: keccak256(stringToBytes(String(offer.extra.offer))),
      requestHash,
      validBefore,
    },
  });
  const payload = { transaction, from: account.address, requestHash, validBefore: String(validBefore), signature };
  return Buffer.from(JSON.stringify({ x402Version: 2, accepted: offer, payload })).toString('base64');
}

/** @param {Chain} chain */
async function slowNode(chain) {
  const asked = { requests: 0, calls: 0 };
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const text = Buffer.concat(parts).toString();
    const calls = JSON.parse(text);
    asked.requests += 1;
    asked.calls += Array.isArray(calls) ? calls.length : 1;
    await pause(delay);
    const answer = await fetch(chain.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text });
    response.setHeader('content-type', 'application/json');
    response.end(await answer.text());
  });
  const port = await freePort();
  await new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(undefined)));
  return { url: `http://127.0.0.1:${port}`, asked, server };
}

/** Of a process, in MB: what is resident now, and the most that ever was. @param {number | undefined} pid */
function memory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (/** @type {string} */ name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), most: of('VmHWM') };
}

/** Of the data directory, in MB. @param {Shop} shop */
function database(shop) {
  const data = path.join(shop.directory, 'data');
  const files = readdirSync(data).filter((name) => name.startsWith('coinslot.db'));
  return files.reduce((sum, name) => sum + statSync(path.join(data, name)).size, 0) / 1e6;
}

const chain = await Chain.start();
const node = await slowNode(chain);
const shop = new Shop('serve', await freePort(), {
  settings: settings({ payTo: PAY_TO, rpcUrl: node.url, walletRpcUrl: chain.url }),
  binary: values.binary,
});
let failed = false;
try {
  await shop.start();
  const resource = `${shop.url}/api/x402/${AGENT}`;
  const anybody = new Buyer(shop.url, chain.url);
  const offer = await anybody.offer(AGENT, INPUT);
  // The bodies are told apart by where their white space is; a signature is over one of sixteen.
  const bodies = Array.from({ length: 16 }, (_, n) => body(n, kib * 1024));
  console.log(`signing ${wallets * hashes} payments that nobody made …`);
  /** @type {{ header: string, text: string }[]} */
  const made = [];
  for (let wallet = 0; wallet < wallets; wallet++) {
    const account = freshAccount();
    for (let n = 0; n < hashes; n++) {
      const text = /** @type {string} */ (bodies[made.length % 16]);
      const transaction = keccak256(toHex(`made up ${wallet} ${n}`));
      made.push({ header: await payment(account, offer, transaction, text, resource), text });
    }
  }
  await chain.setCode(INPUT.address, `0x${JSON.parse(readFileSync(CODE, 'utf8')).runtime}`);

  const post = (/** @type {string} */ header, /** @type {string} */ text) =>
    fetch(resource, { method: 'POST', headers: { 'content-type': 'application/json', 'payment-signature': header }, body: text });
  /** An honest program that nobody knows here: from its payment to its answer, in seconds. */
  const honest = async () => {
    const buyer = new Buyer(shop.url, chain.url, freshAccount());
    await chain.fund(buyer.account.address);
    const text = JSON.stringify(INPUT);
    const own = await buyer.offer(AGENT, INPUT);
    const began = performance.now();
    const transaction = await buyer.pay(own);
    const header = await payment(buyer.account, own, transaction, text, resource);
    for (;;) {
      const answer = await post(header, text);
      await answer.arrayBuffer();
      if (![202, 429, 503].includes(answer.status)) return { status: answer.status, seconds: (performance.now() - began) / 1000 };
      if (performance.now() - began > 120_000) return { status: answer.status, seconds: 120 };
      await pause(250);
    }
  };
  const calm = await honest();
  const before = { memory: memory(shop.pid), database: database(shop), asked: { ...node.asked } };
  console.log(`calm: an honest call takes ${calm.seconds.toFixed(1)} s (${calm.status}); ${before.memory.now.toFixed(0)} MB, database ${before.database.toFixed(1)} MB`);

  /** @type {Map<number, number>} */
  const answers = new Map();
  let next = 0;
  const began = performance.now();
  const flooder = async () => {
    for (let n = next++; n < made.length; n = next++) {
      const { header, text } = /** @type {{ header: string, text: string }} */ (made[n]);
      const status = await post(header, text).then(async (answer) => (await answer.arrayBuffer(), answer.status), () => 0);
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  };
  const flood = Promise.all(Array.from({ length: atOnce }, flooder)).then(() => (next = Infinity));
  /** @type {{ status: number, seconds: number }[]} */
  const told = [];
  while (next !== Infinity || told.length < 3) told.push(await honest());
  await flood;
  const lasted = (performance.now() - began) / 1000;
  // A look at what was left behind comes after, too.
  told.push(await honest());
  const after = { memory: memory(shop.pid), database: database(shop) };
  const slowest = Math.max(...told.map(({ seconds }) => seconds));
  console.log(`${made.length} made-up hashes in ${lasted.toFixed(1)} s, answered ${[...answers].map(([status, count]) => `${status}: ${count}`).join(', ')}`);
  console.log(`the node: ${node.asked.requests - before.asked.requests} requests, ${node.asked.calls - before.asked.calls} calls`);
  console.log(`honest calls meanwhile: ${told.map(({ status, seconds }) => `${seconds.toFixed(1)} s (${status})`).join(', ')}`);
  const line = (/** @type {string} */ what, /** @type {number} */ is, /** @type {number} */ goal, /** @type {string} */ unit) => {
    failed ||= is > goal;
    console.log(`${is > goal ? 'MISSED' : 'ok    '} ${what}: ${is.toFixed(1)} ${unit} (goal ${goal})`);
  };
  failed ||= told.some(({ status }) => status !== 200);
  line('slowest honest call', slowest, GOALS.seconds, 's');
  line('memory at most', after.memory.most, GOALS.memoryMb, 'MB');
  line('database', after.database, GOALS.databaseMb, 'MB');
  await shop.stop();
  console.log(await shop.books());
} finally {
  await shop.kill9();
  node.server.close();
  chain.stop();
  shop.forget();
}
process.exitCode = failed ? 1 : 0;
