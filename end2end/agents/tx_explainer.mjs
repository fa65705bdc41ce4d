// Makes transactions of every kind on a node, successes and failures, and prints as JSON what viem and cast say of each:
// `node tx_explainer.mjs <question.json>`, the question being {"url": …, "chainId": …}.
//
// Whoever decodes here has the whole ABI of every contract: what is asked is whether somebody without it says the same.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formatAbi } from 'abitype';
import {
  createPublicClient, createWalletClient, decodeErrorResult, decodeEventLog, decodeFunctionData, defineChain, encodeDeployData,
  encodeFunctionData, http, keccak256, maxUint256, parseEther, parseTransaction, recoverTransactionAddress, serializeTransaction, stringToHex,
  toEventSelector, toFunctionSelector, toFunctionSignature, zeroAddress,
} from 'viem';
import { mnemonicToAccount } from 'viem/accounts';

const { url, chainId } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

function castBinary() {
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch;
  try {
    const pkg = require.resolve(`@foundry-rs/cast-${process.platform}-${cpu}/package.json`);
    const binary = path.join(path.dirname(pkg), 'bin/cast');
    if (existsSync(binary)) return binary;
  } catch {
    // Not installed for this platform: PATH may have one.
  }
  return 'cast';
}
const CAST = castBinary();

async function cast(...args) {
  const { stdout } = await run(CAST, args, { maxBuffer: 1 << 24 });
  return stdout.trim();
}

// --- contracts ---

function compiled() {
  const solc = require('solc');
  const input = {
    language: 'Solidity',
    sources: { 'Deeds.sol': { content: readFileSync(path.join(here, '../contracts/Deeds.sol'), 'utf8') } },
    settings: { evmVersion: 'cancun', optimizer: { enabled: true, runs: 200 }, outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
  };
  const modules = path.join(here, '../node_modules');
  const read = (file) => ({ contents: readFileSync(path.join(modules, file), 'utf8') });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
  const errors = (output.errors ?? []).filter((error) => error.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join('\n'));
  return output.contracts['Deeds.sol'];
}
const contracts = compiled();
const abiOf = Object.fromEntries(Object.entries(contracts).map(([name, contract]) => [name, contract.abi]));
const everything = Object.values(abiOf).flat();

const chain = defineChain({
  id: chainId,
  name: 'Local chain',
  nativeCurrency: { name: 'MON', symbol: 'MON', decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});
const client = createPublicClient({ chain, transport: http(url), pollingInterval: 20 });
const account = (addressIndex) => mnemonicToAccount('test test test test test test test test test test test junk', { addressIndex });
const [ada, bob, eve, zoe] = [account(0), account(1), account(2), account(3)];
const wallet = createWalletClient({ chain, transport: http(url), account: ada });
/** Contract by address. */
const at = {};

// --- values as the agent writes them ---

function text(value, param, inside = false) {
  const list = /^(.*)\[\d*\]$/.exec(param.type);
  if (list) return `[${value.map((one) => text(one, { ...param, type: list[1] }, true)).join(', ')}]`;
  if (param.type === 'tuple') {
    const fields = param.components.map((part, place) => text(Array.isArray(value) ? value[place] : value[part.name], part, true));
    return `(${fields.join(', ')})`;
  }
  if (param.type === 'string') return inside ? JSON.stringify(value) : value;
  return typeof value === 'string' ? value.toLowerCase() : String(value);
}

/** cast's and ours differ in quotes, spaces and case. */
const bare = (words) => words.toLowerCase().replace(/["\s\\]/g, '');

// --- what viem says ---

const KNOWN = new Set(['multicall', 'execute', 'executeBatch', 'aggregate3', 'execTransaction', 'withdraw']);

/** A call and the calls inside it. `given`: the agent has the ABI of Deeds. */
async function calls(to, data, given, depth = 0) {
  const told = { depth, to: to?.toLowerCase() ?? null, selector: null, signature: null, args: [], known: true, cast: null };
  if (data.length < 10) return [told];
  told.selector = data.slice(0, 10);
  const contract = at[to?.toLowerCase()];
  const item = (abiOf[contract] ?? []).find((one) => one.type === 'function' && toFunctionSelector(one) === told.selector);
  if (!item) return [{ ...told, known: false }];
  const { args = [] } = decodeFunctionData({ abi: [item], data });
  told.signature = toFunctionSignature(item);
  told.args = item.inputs.map((param, place) => text(args[place], param));
  told.known = given || contract !== 'Deeds' || KNOWN.has(item.name);
  if (depth === 0 && item.inputs.length > 0) {
    // Not its JSON: there, numbers above 2^53 are rounded, and tuples are lists. Beside large numbers it writes them once more, rounded.
    const said = await cast('decode-calldata', told.signature, data);
    told.cast = said.trim().split('\n').map((one) => bare(one.replaceAll(/ \[-?\d(\.\d+)?e\d+\]/g, '')));
  }
  const inside = {
    multicall: () => args[0].map((inner) => [to, inner]),
    execute: () => [[args[0], args[2]]],
    execTransaction: () => [[args[0], args[2]]],
    executeBatch: () => args[0].map((target, place) => [target, args[2][place]]),
    aggregate3: () => args[0].map((call) => [call.target, call.callData]),
  }[item.name];
  const inner = [];
  for (const [target, payload] of inside?.() ?? []) inner.push(...(await calls(target, payload, given, depth + 1)));
  return [told, ...inner];
}

function event(log, given) {
  const contract = at[log.address.toLowerCase()];
  const item = abiOf[contract].find((one) => one.type === 'event' && toEventSelector(one) === log.topics[0]);
  const { eventName, args } = decodeEventLog({ abi: [item], topics: log.topics, data: log.data });
  const signature = `${eventName}(${toFunctionSignature({ ...item, type: 'function' }).split('(').slice(1).join('(')}`;
  const known = given || contract !== 'Deeds' || ['Deposit', 'Withdrawal'].includes(eventName);
  return { address: log.address.toLowerCase(), contract, name: eventName, values: args, signature, args: item.inputs.map((param) => text(args[param.name], param)), known };
}

function moves(events) {
  const lower = (...words) => words.map((word) => String(word).toLowerCase()).join(' ');
  const transfers = [];
  const approvals = [];
  for (const { address, contract, name, values } of events) {
    if (name === 'Transfer' && contract === 'PlayCards') transfers.push(lower('erc721', values.from, values.to, address, values.tokenId, 1));
    else if (name === 'Transfer') transfers.push(lower('erc20', values.from, values.to, address, '-', values.value));
    else if (name === 'TransferSingle') transfers.push(lower('erc1155', values.from, values.to, address, values.id, values.value));
    else if (name === 'TransferBatch') values.ids.forEach((id, place) => transfers.push(lower('erc1155', values.from, values.to, address, id, values.values[place])));
    else if (name === 'Approval' && contract === 'PlayCards') approvals.push(lower(values.owner, values.approved, address, values.tokenId));
    else if (name === 'Approval') approvals.push(lower(values.owner, values.spender, address, values.value));
    else if (name === 'ApprovalForAll') approvals.push(lower(values.account ?? values.owner, values.operator, address, values.approved ? 'all' : 'nothing'));
  }
  return { transfers, approvals };
}

/** The same call on the state before its block, and what viem makes of what it left behind. */
async function failure(tx, block, expected, given) {
  const call = { from: tx.from, to: tx.to ?? undefined, data: tx.input, value: `0x${tx.value.toString(16)}`, gas: `0x${tx.gas.toString(16)}` };
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_call', params: [call, `0x${(block - 1n).toString(16)}`] }),
  });
  const { error } = await answer.json();
  if (!error) throw new Error('it does not fail again');
  const data = typeof error.data === 'string' ? error.data : '0x';
  if (expected) {
    if (data !== '0x') throw new Error(`expected to leave nothing behind, left ${data}`);
    return { kind: expected, signature: null, args: [], known: true };
  }
  const { abiItem, args, errorName } = decodeErrorResult({ abi: everything, data });
  const kind = { Error: 'error', Panic: 'panic' }[errorName] ?? 'custom';
  const signature = `${errorName}(${toFunctionSignature({ ...abiItem, type: 'function', outputs: [], stateMutability: 'view' }).split('(').slice(1).join('(')}`;
  const own = abiOf.Deeds.some((one) => one.type === 'error' && one.name === errorName) && errorName !== 'OwnableUnauthorizedAccount';
  return { kind, signature, args: abiItem.inputs.map((param, place) => text(args[place], param)), known: given || !own };
}

/** What both say of a raw transaction; they have to agree before anybody is compared with them. */
async function fields(raw) {
  const parsed = parseTransaction(raw);
  const type = { legacy: 0, eip2930: 1, eip1559: 2, eip4844: 3, eip7702: 4 }[parsed.type];
  const signed = parsed.r !== undefined;
  const from = signed ? (await recoverTransactionAddress({ serializedTransaction: raw })).toLowerCase() : null;
  const told = {
    type,
    hash: signed ? keccak256(raw) : null,
    from,
    to: parsed.to?.toLowerCase() ?? null,
    nonce: parsed.nonce ?? 0,
    value: String(parsed.value ?? 0n),
    gas: Number(parsed.gas ?? 0n),
    chainId: parsed.chainId ?? null,
    gasPrice: type < 2 ? String(parsed.gasPrice ?? 0n) : null,
    maxFee: type >= 2 ? String(parsed.maxFeePerGas ?? 0n) : null,
    maxPriority: type >= 2 ? String(parsed.maxPriorityFeePerGas ?? 0n) : null,
    dataBytes: ((parsed.data ?? '0x').length - 2) / 2,
    accessList: parsed.accessList?.length ?? 0,
    blobs: parsed.blobVersionedHashes?.length ?? 0,
    authorizations: parsed.authorizationList?.length ?? 0,
  };
  if (signed) {
    let said = JSON.parse(await cast('decode-transaction', raw));
    if (typeof said === 'string') said = JSON.parse(said);
    const number = (word) => (word === undefined || word === null ? null : String(BigInt(word)));
    const pairs = [
      ['signer', said.signer.toLowerCase(), from],
      ['hash', said.hash, told.hash],
      ['nonce', number(said.nonce), String(told.nonce)],
      ['value', number(said.value), told.value],
      ['gas', number(said.gas), String(told.gas)],
      ['to', said.to?.toLowerCase() ?? null, told.to],
      ['price', number(said.gasPrice ?? said.maxFeePerGas), told.gasPrice ?? told.maxFee],
      ['input', said.input.length / 2 - 1, told.dataBytes],
    ];
    for (const [what, one, other] of pairs) if (one !== other) throw new Error(`cast and viem differ in ${what}: ${one}, ${other}`);
  }
  return told;
}

// --- the transactions ---

const cases = [];

async function send(name, { from = ada, to, data, value, gas = 500_000n, type = 'eip1559', abi = null, fails, expected, ...more }) {
  const request = await wallet.prepareTransactionRequest({ account: from, to, data, value, gas, type, ...more });
  const raw = await from.signTransaction(request);
  const hash = await client.sendRawTransaction({ serializedTransaction: raw });
  const receipt = await client.waitForTransactionReceipt({ hash });
  const tx = await client.getTransaction({ hash });
  if (receipt.contractAddress && more.contract) at[receipt.contractAddress.toLowerCase()] = more.contract;
  if ((receipt.status === 'reverted') !== Boolean(fails)) throw new Error(`${name}: ${receipt.status}`);
  const given = abi !== null;
  const events = receipt.logs.map((log) => event(log, given));
  cases.push({
    name, hash, raw, abi,
    fields: await fields(raw),
    status: receipt.status,
    block: Number(receipt.blockNumber),
    gasUsed: Number(receipt.gasUsed),
    fee: String(receipt.gasUsed * receipt.effectiveGasPrice),
    created: receipt.contractAddress?.toLowerCase() ?? null,
    calls: to === undefined || to === null ? [] : await calls(to, tx.input, given),
    events: events.map(({ address, signature, args, known }) => ({ address, signature, args, known })),
    ...moves(events),
    error: fails ? await failure(tx, receipt.blockNumber, expected, given) : null,
  });
  return receipt;
}

async function deploy(name, type) {
  const data = encodeDeployData({ abi: abiOf[name], bytecode: `0x${contracts[name].evm.bytecode.object}`, args: [] });
  const { contractAddress } = await send(`creates ${name}`, { data, gas: 6_000_000n, type, contract: name });
  return contractAddress;
}
const call = (contract, functionName, args = []) => encodeFunctionData({ abi: abiOf[contract], functionName, args });

const coin = await deploy('PlayCoin', 'legacy');
const old = await deploy('OldCoin', 'eip2930');
const cards = await deploy('PlayCards', 'eip1559');
const items = await deploy('PlayItems', 'eip1559');
const deeds = await deploy('Deeds', 'eip1559');
const jsonAbi = JSON.stringify(abiOf.Deeds);
const lines = formatAbi(abiOf.Deeds).join('\n');

// Coin alone.
await send('sends coin (legacy)', { to: bob.address, value: parseEther('1.5'), gas: 21_000n, type: 'legacy' });
await send('sends coin (1559)', { to: bob.address, value: 1n, gas: 21_000n });
await send('sends coin (2930)', {
  to: bob.address, value: parseEther('0.25'), gas: 60_000n, type: 'eip2930',
  accessList: [{ address: coin, storageKeys: [`0x${'00'.repeat(32)}`, `0x${'11'.repeat(32)}`] }, { address: old, storageKeys: [] }],
});
await send('sends itself nothing', { to: ada.address, gas: 21_000n });
await send('sends words', { to: bob.address, data: stringToHex('Thank you for the coffee!'), gas: 40_000n });
await send('sends odd bytes', { to: bob.address, data: '0xdeadbe', gas: 40_000n });
const authorization = await wallet.signAuthorization({ account: zoe, contractAddress: deeds });
await send('delegates an account (7702)', { to: bob.address, value: 7n, gas: 100_000n, type: 'eip7702', authorizationList: [authorization] });

// Tokens.
await send('transfers tokens', { to: coin, data: call('PlayCoin', 'transfer', [bob.address, 12_500_000n]) });
await send('transfers no tokens', { to: coin, data: call('PlayCoin', 'transfer', [bob.address, 0n]), type: 'legacy' });
await send('transfers tokens of old', { to: old, data: call('OldCoin', 'transfer', [bob.address, 5n * 10n ** 18n]) });
await send('approves without limit', { to: coin, data: call('PlayCoin', 'approve', [bob.address, maxUint256]) });
await send('takes what is approved', { from: bob, to: coin, data: call('PlayCoin', 'transferFrom', [ada.address, eve.address, 3_000_000n]) });
await send('approves so much', { to: coin, data: call('PlayCoin', 'approve', [bob.address, 1_000_000n]), type: 'eip2930' });
await send('takes an approval back', { to: coin, data: call('PlayCoin', 'approve', [bob.address, 0n]) });
await send('makes tokens', { to: coin, data: call('PlayCoin', 'mint', [eve.address, 42n]) });

// Collections.
await send('makes a card', { to: cards, data: call('PlayCards', 'safeMint', [ada.address, 7n]) });
await send('makes a card with a large number', { to: cards, data: call('PlayCards', 'safeMint', [ada.address, 2n ** 255n + 1n]) });
await send('approves a card', { to: cards, data: call('PlayCards', 'approve', [bob.address, 7n]) });
await send('moves a card', { to: cards, data: call('PlayCards', 'transferFrom', [ada.address, bob.address, 7n]) });
await send('moves a card safely', { from: bob, to: cards, data: call('PlayCards', 'safeTransferFrom', [bob.address, ada.address, 7n]) });
await send('moves a card safely with data', { to: cards, data: call('PlayCards', 'safeTransferFrom', [ada.address, eve.address, 7n, '0x1234']) });
await send('approves all cards', { to: cards, data: call('PlayCards', 'setApprovalForAll', [bob.address, true]) });
await send('takes that back', { to: cards, data: call('PlayCards', 'setApprovalForAll', [bob.address, false]) });
await send('makes items', { to: items, data: call('PlayItems', 'mint', [ada.address, 1n, 100n, '0x']) });
await send('makes other items', { to: items, data: call('PlayItems', 'mint', [ada.address, 2n, 50n, '0xabcd']) });
await send('moves items', { to: items, data: call('PlayItems', 'safeTransferFrom', [ada.address, bob.address, 1n, 10n, '0x']) });
await send('moves several items', { to: items, data: call('PlayItems', 'safeBatchTransferFrom', [ada.address, bob.address, [1n, 2n], [3n, 4n], '0x00']) });
await send('approves all items', { to: items, data: call('PlayItems', 'setApprovalForAll', [eve.address, true]) });

// Arguments of every kind, by JSON, by lines, and by nothing.
const order = (n) => ({ to: bob.address, rates: [BigInt(n), 2n ** 64n - 1n], note: `a "quoted" note\nno. ${n} – ü` });
const fill = call('Deeds', 'fill', [[order(1), order(2)], `0x${'ab'.repeat(32)}`, -887_272]);
const shapes = call('Deeds', 'shapes', [true, [1, 255], ['0x', `0x${'cd'.repeat(77)}`], 'words', [[1n, 2n ** 96n - 1n], [], [3n]]]);
await send('puts coin in', { to: deeds, value: parseEther('2') });
await send('takes coin out', { to: deeds, data: call('Deeds', 'withdraw', [parseEther('0.5')]) });
await send('fills orders (JSON ABI)', { to: deeds, data: fill, value: 5n, abi: jsonAbi });
await send('fills orders (signatures)', { to: deeds, data: fill, abi: lines });
await send('fills orders (no ABI)', { to: deeds, data: fill });
await send('fills no orders', { to: deeds, data: call('Deeds', 'fill', [[], `0x${'00'.repeat(32)}`, 0]), abi: jsonAbi });
await send('shapes (JSON ABI)', { to: deeds, data: shapes, abi: jsonAbi });
await send('shapes (signatures)', { to: deeds, data: shapes, abi: lines, type: 'legacy' });
await send('does nothing', { to: deeds, data: call('Deeds', 'nothing'), abi: lines });
await send('does nothing with more bytes', { to: deeds, data: `${call('Deeds', 'nothing')}${'77'.repeat(33)}`, abi: jsonAbi });

// Calls in calls.
const pay = (n) => call('PlayCoin', 'mint', [bob.address, BigInt(n)]);
await send('calls itself twice', { to: deeds, data: call('Deeds', 'multicall', [[call('Deeds', 'nothing'), fill]]), abi: jsonAbi });
await send('calls on behalf', { to: deeds, data: call('Deeds', 'execute', [coin, 0n, pay(1)]) });
await send('sends coin on behalf', { to: deeds, value: 9n, data: call('Deeds', 'execute', [bob.address, 9n, '0x']) });
await send('calls several', { to: deeds, data: call('Deeds', 'executeBatch', [[coin, old], [0n, 0n], [pay(2), call('OldCoin', 'transfer', [eve.address, 3n])]]) });
await send('calls several, some may fail', {
  to: deeds,
  data: call('Deeds', 'aggregate3', [[{ target: coin, allowFailure: false, callData: pay(3) }, { target: coin, allowFailure: true, callData: call('PlayCoin', 'transfer', [zeroAddress, 1n]) }]]),
});
const safe = (to, data, operation) => call('Deeds', 'execTransaction', [to, 0n, data, operation, 0n, 0n, 0n, zeroAddress, zeroAddress, '0x1234']);
await send('calls as Safe does', { to: deeds, data: safe(coin, pay(4), 0) });
await send('runs code as Safe does', { to: deeds, data: safe(deeds, call('Deeds', 'nothing'), 1), abi: jsonAbi });
await send('calls in calls in calls', {
  to: deeds,
  data: call('Deeds', 'multicall', [[call('Deeds', 'execute', [deeds, 0n, call('Deeds', 'multicall', [[safe(coin, pay(5), 0), call('Deeds', 'execute', [old, 0n, call('OldCoin', 'transfer', [bob.address, 1n])])]])])]]),
});

// Failures.
const fail = (name, functionName, args, more = {}) => send(`fails: ${name}`, { to: deeds, data: call('Deeds', functionName, args), fails: true, ...more });
await fail('words', 'failWithWords', ['not today']);
await fail('long words', 'failWithWords', ['“long” '.repeat(60)]);
await fail('empty words', 'failWithWords', ['']);
await fail('no words', 'failEmpty', [], { expected: 'empty' });
await fail('an error of its own (JSON ABI)', 'failNamed', [99n], { abi: jsonAbi });
await fail('an error of its own (signatures)', 'failNamed', [99n], { abi: lines });
await fail('an error of its own (no ABI)', 'failNamed', [99n]);
await fail('an error with a struct', 'failStruct', [order(3)], { abi: jsonAbi });
await fail('a well-known error', 'failWellKnown', []);
await fail('an error from within', 'failDeep', [], { abi: lines });
await fail('a token that fails', 'failAfter', [coin, bob.address]);
await fail('an assertion', 'panicAssert', [1n]);
await fail('an overflow', 'panicOverflow', [1]);
await fail('a division by zero', 'panicDivide', [0n]);
await fail('no value of an enumeration', 'panicEnum', [9n]);
await fail('nothing to take', 'panicPop', []);
await fail('outside of a list', 'panicIndex', [5n]);
await fail('too much memory', 'panicMemory', [2n ** 70n]);
await fail('a function that is none', 'panicZero', []);
await fail('no gas left', 'spin', [], { expected: 'out_of_gas', gas: 200_000n });
await fail('an instruction that is none', 'invalid', [], { expected: 'invalid', gas: 200_000n });
// The innermost call has no gas left; the outermost keeps a sixty-fourth of it (EIP-150) and reverts without a word.
await fail('itself without end', 'recurse', [], { expected: 'empty', gas: 150_000n });
await send('fails: too few tokens', { from: eve, to: coin, data: call('PlayCoin', 'transfer', [bob.address, 10n ** 30n]), fails: true });
await send('fails: nothing is approved', { from: eve, to: coin, data: call('PlayCoin', 'transferFrom', [ada.address, eve.address, 1n]), fails: true });
await send('fails: to nobody', { to: coin, data: call('PlayCoin', 'transfer', [zeroAddress, 1n]), fails: true, type: 'legacy' });
await send('fails: no such card', { to: cards, data: call('PlayCards', 'transferFrom', [ada.address, bob.address, 999n]), fails: true });
await send('fails: somebody else’s items', { from: bob, to: items, data: call('PlayItems', 'safeTransferFrom', [ada.address, bob.address, 1n, 1n, '0x']), fails: true });
await send('fails: in a batch', { to: deeds, data: call('Deeds', 'multicall', [[call('Deeds', 'nothing'), call('Deeds', 'failWithWords', ['in a batch'])]]), abi: jsonAbi, fails: true });
await send('fails: no such function', { to: coin, data: '0x12345678', fails: true, expected: 'empty' });
await send('fails: coin where none is taken', { to: coin, value: 1n, fails: true, expected: 'empty' });
await send('fails: a contract that is not made', { data: '0x60006000fd', fails: true, expected: 'empty', gas: 100_000n });
await send('fails: gas ends while making it', { data: `0x${contracts.Deeds.evm.bytecode.object}`, fails: true, expected: 'out_of_gas', gas: 400_000n });

// Raw alone: what was never sent, signed and not.
const raws = [];
const base = { chainId, to: bob.address, nonce: 12, gas: 50_000n, value: 77n, data: call('PlayCoin', 'transfer', [bob.address, 1n]) };
const accessList = [{ address: coin, storageKeys: [`0x${'00'.repeat(32)}`] }];
const price = { maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 2_000_000_000n };
const kinds = {
  'legacy': { ...base, type: 'legacy', gasPrice: 5n },
  'legacy, for any chain': { ...base, chainId: undefined, type: 'legacy', gasPrice: 5n },
  '2930': { ...base, type: 'eip2930', gasPrice: 6n, accessList },
  '1559': { ...base, type: 'eip1559', ...price, accessList },
  '1559, creates': { ...base, to: undefined, type: 'eip1559', ...price },
  '1559, for another chain': { ...base, chainId: 1, type: 'eip1559', ...price },
  '4844': { ...base, type: 'eip4844', ...price, maxFeePerBlobGas: 9n, blobVersionedHashes: [`0x01${'ab'.repeat(31)}`, `0x01${'cd'.repeat(31)}`] },
  '7702': { ...base, type: 'eip7702', ...price, authorizationList: [authorization] },
};
for (const [name, transaction] of Object.entries(kinds)) {
  const signed = await ada.signTransaction(transaction);
  raws.push({ name: `${name}, signed`, raw: signed, fields: await fields(signed) });
  const unsigned = serializeTransaction(transaction);
  raws.push({ name: `${name}, not signed`, raw: unsigned, fields: await fields(unsigned) });
}

console.log(JSON.stringify({ cases, raws }));
