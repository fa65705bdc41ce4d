// What cast and viem say of the same wallets at the same block: `node wallet_report.mjs <question.json>` prints it as JSON.
//
// cast: balance, nonce, code, and each allowance by `cast call`. viem: token balances, symbols and decimals in one multicall, Permit2's
// allowances by readContract, transfers by getLogs. Every number is decimal text.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { createPublicClient, defineChain, http, parseAbi, parseAbiItem } from 'viem';

const { url, block, chainId, multicall, permit2, wallets, tokens, spenders } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const run = promisify(execFile);

function castBinary() {
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch;
  try {
    const pkg = createRequire(import.meta.url).resolve(`@foundry-rs/cast-${process.platform}-${cpu}/package.json`);
    const binary = path.join(path.dirname(pkg), 'bin/cast');
    if (existsSync(binary)) return binary;
  } catch {
    // Not installed for this platform: PATH may have one.
  }
  return 'cast';
}

const CAST = castBinary();

/** @param {string[]} args */
async function cast(...args) {
  const { stdout } = await run(CAST, [...args, '--block', String(block), '--rpc-url', url], { maxBuffer: 1 << 24 });
  return stdout.trim();
}

const chain = defineChain({
  id: chainId,
  name: 'Local chain',
  nativeCurrency: { name: 'MON', symbol: 'MON', decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});
const client = createPublicClient({ chain, transport: http(url) });
const blockNumber = BigInt(block);
const erc20 = parseAbi([
  'function symbol() view returns (string)',
  'function decimals() view returns (uint8)',
  'function balanceOf(address) view returns (uint256)',
]);
const inner = parseAbi(['function allowance(address owner, address token, address spender) view returns (uint160, uint48, uint48)']);
const transfer = parseAbiItem('event Transfer(address indexed from, address indexed to, uint256 value)');
const piece = parseAbiItem('event Transfer(address indexed from, address indexed to, uint256 indexed id)');

/** @param {string} address */
async function look(address) {
  const [balance, nonce, code] = await Promise.all(['balance', 'nonce', 'code'].map((what) => cast(what, address)));
  const contracts = tokens.flatMap((/** @type {`0x${string}`} */ token) => [
    { address: token, abi: erc20, functionName: 'balanceOf', args: [address] },
    { address: token, abi: erc20, functionName: 'symbol' },
    { address: token, abi: erc20, functionName: 'decimals' },
  ]);
  const said = await client.multicall({ contracts, blockNumber, multicallAddress: multicall });
  const value = (/** @type {number} */ at) => (said[at].status === 'success' ? String(said[at].result) : null);
  const allowances = [];
  for (const token of tokens) {
    for (const spender of spenders) {
      // `1000 [1e3]`: the second is for people.
      const own = (await cast('call', token, 'allowance(address,address)(uint256)', address, spender)).split(' ')[0];
      const [amount, expires, count] = await client.readContract({
        address: permit2, abi: inner, functionName: 'allowance', args: [address, token, spender], blockNumber,
      });
      allowances.push({ token, spender, own, permit2: [amount, expires, count].map(String) });
    }
  }
  const logs = [];
  for (const event of [transfer, piece]) {
    for (const args of [{ from: address }, { to: address }]) {
      logs.push(...(await client.getLogs({ event, args, fromBlock: 0n, toBlock: blockNumber, strict: true })));
    }
  }
  // What an account sends itself is there twice.
  const once = new Map(logs.map((log) => [`${log.blockNumber} ${log.logIndex}`, log]));
  const transfers = [...once.values()].sort((a, b) => Number(b.blockNumber - a.blockNumber) || b.logIndex - a.logIndex);
  return {
    balance, nonce, code,
    tokens: tokens.map((/** @type {string} */ token, /** @type {number} */ at) => ({
      token, balance: value(3 * at), symbol: value(3 * at + 1), decimals: value(3 * at + 2),
    })),
    allowances,
    transfers: transfers.map((log) => `${log.blockNumber} ${log.transactionHash} ${log.address} ${log.args.value ?? log.args.id}`),
  };
}

const answers = [];
for (const wallet of wallets) answers.push(await look(wallet));
console.log(JSON.stringify(answers));
