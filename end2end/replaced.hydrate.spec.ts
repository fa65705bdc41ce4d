// A payment that is sped up, replaced or cancelled in its wallet: ux.md, C4. The mischief is done on a real chain.

import type { Hex } from 'viem';
import type { Buyer } from './support/buyer.mjs';
import { BLOCKS_TO_FINALITY } from './support/chain.mjs';
import { TOKEN } from './support/contracts.ts';
import type { Rpc } from './support/rpc.ts';
import { expect, open, test } from './support/test.ts';
import { PRICE_WEI } from './support/xray.ts';

const SENT = 'Sent. Waiting for the network to include it.';
const REPLACED = 'The payment was replaced; nothing was paid. The offer is open again.';
const GWEI = 10n ** 9n;

/** What a wallet does on "Speed up" and "Cancel": the same number again, for ten times the fee. */
async function again(buyer: Buyer, chain: { rpc(method: string, ...params: unknown[]): Promise<any> }, hash: Hex, change: { to?: Hex; value?: bigint } = {}) {
  const sent = await chain.rpc('eth_getTransactionByHash', hash);
  return buyer.wallet.sendTransaction({
    to: change.to ?? sent.to,
    value: change.value ?? BigInt(sent.value),
    nonce: Number(sent.nonce),
    gas: 21_000n,
    maxFeePerGas: 10n * BigInt(sent.maxFeePerGas ?? sent.gasPrice),
    maxPriorityFeePerGas: 10n * BigInt(sent.maxPriorityFeePerGas ?? GWEI) + GWEI,
  });
}

/** The shop has asked about the payment while it waited: it knows its number. */
async function wasSeenWaiting(rpc: Rpc, hash: Hex) {
  const asked = () => rpc.calls.filter(({ side, method, params }) => side === 'shop' && method === 'eth_getTransactionByHash' && params?.[0] === hash);
  await expect.poll(() => asked().length).toBeGreaterThan(0);
}

test('C4 P7 sped up in the wallet: followed by itself, and the answer is there within seconds', async ({ chain, rpc, wallet, xray, buyer }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await wasSeenWaiting(rpc, wallet.sent[0]!);
  const fast = await again(buyer, chain, wallet.sent[0]!);
  expect(fast).not.toBe(wallet.sent[0]);
  await chain.mine(1 + BLOCKS_TO_FINALITY);
  chain.resume();

  await expect(xray.status).toHaveText('Done.', { timeout: 10_000 });
  // What it is a receipt of is the transaction that paid.
  await expect(xray.answer.getByText(fast.slice(0, 8)).first()).toBeVisible();
  await expect(xray.arrived).toHaveCount(0);
  await expect(xray.failure).toHaveCount(0);
  expect(await buyer.credit()).toEqual([]);
  expect(await buyer.session('arrived')).toEqual([]);
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(1);
});

test('P7 the first hash was never seen by our node: joined with what arrived, and no second payment beside it', async ({ chain, rpc, wallet, xray, buyer }) => {
  // As on Monad: nothing is told of a transaction before a block has it.
  rpc.fault(({ method, params }) => (method === 'eth_getTransactionByHash' && params?.[0] === wallet.sent[0] ? { result: null } : undefined));
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  const fast = await again(buyer, chain, wallet.sent[0]!);
  await chain.mine(1 + BLOCKS_TO_FINALITY);
  chain.resume();

  await expect(xray.status).toHaveText('Done.', { timeout: 10_000 });
  await expect(xray.answer.getByText(fast.slice(0, 8)).first()).toBeVisible();
  await expect(xray.arrived).toHaveCount(0);
  await expect(xray.main.getByRole('button', { name: 'Send a second payment' })).toHaveCount(0);
  expect(await buyer.credit()).toEqual([]);
});

test('C4 P7 cancelled in the wallet: said so, the offer opens again, and nothing is lost', async ({ chain, rpc, wallet, xray, buyer }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await wasSeenWaiting(rpc, wallet.sent[0]!);
  await again(buyer, chain, wallet.sent[0]!, { to: wallet.address, value: 0n });
  chain.resume();

  await expect(xray.failure).toContainText(REPLACED, { timeout: 15_000 });
  expect(await buyer.credit()).toEqual([]);
  await xray.run.click();
  await xray.done();
  expect(wallet.sent).toHaveLength(2);
  expect(await buyer.credit()).toEqual([]);
});

test('C4 P7 cancelled on a network that shows nothing before it is in a block: found by the account having moved on', async ({ chain, rpc, wallet, xray, buyer }) => {
  test.setTimeout(90_000);
  rpc.fault(({ method, params }) => (method === 'eth_getTransactionByHash' && params?.[0] === wallet.sent[0] ? { result: null } : undefined));
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await again(buyer, chain, wallet.sent[0]!, { to: wallet.address, value: 0n });
  chain.resume();
  await expect(xray.failure).toContainText(REPLACED, { timeout: 45_000 });
  expect(await buyer.credit()).toEqual([]);
});

test('C4 P7 replaced by another payment of the wallet: said so as well', async ({ chain, rpc, wallet, xray, buyer }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await wasSeenWaiting(rpc, wallet.sent[0]!);
  await again(buyer, chain, wallet.sent[0]!, { to: '0x00000000000000000000000000000000000000aa', value: 5n });
  chain.resume();
  await expect(xray.failure).toContainText(REPLACED, { timeout: 15_000 });
  await expect(xray.arrived).toHaveCount(0);
});

test('P7 sped up while the page was away: its next visit finds the answer under way', async ({ page, chain, rpc, wallet, xray, buyer }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await wasSeenWaiting(rpc, wallet.sent[0]!);
  await page.goto('about:blank');
  await again(buyer, chain, wallet.sent[0]!);
  await chain.mine(1 + BLOCKS_TO_FINALITY);
  chain.resume();
  await expect.poll(() => buyer.session('underWay'), { timeout: 10_000 }).toEqual([]);
  await open(page, '/');
  await xray.underWay.getByRole('link', { name: 'Open the answer' }).click();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();
  expect(await buyer.credit()).toEqual([]);
});

test('P7 dropped: unknown is never "pay again" while its number is free', async ({ page, chain, rpc, wallet, xray }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await wasSeenWaiting(rpc, wallet.sent[0]!);
  const raw = await chain.rpc('eth_getRawTransactionByHash', wallet.sent[0]!);
  await chain.rpc('anvil_dropTransaction', wallet.sent[0]!);
  // Two minutes are over for the shop.
  await page.route('**/api/x402/**', async (route) => {
    const answer = await route.fetch();
    if (answer.status() !== 202) return route.fulfill({ response: answer });
    const body = { ...(await answer.json()), code: 'payment_not_found', reason: 'may_arrive', retry: 'same_payment' };
    return route.fulfill({ response: answer, status: 410, json: body });
  });
  await expect(xray.main.getByText(/do not pay again/)).toBeVisible({ timeout: 10_000 });
  await expect(xray.status).toHaveText(SENT);
  await expect(xray.main.getByRole('button', { name: /second payment/ })).toHaveCount(0);
  await expect(xray.failure).toHaveCount(0);

  await page.unroute('**/api/x402/**');
  await chain.rpc('eth_sendRawTransaction', raw);
  chain.resume();
  await xray.done();
  expect(wallet.sent).toHaveLength(1);
});

test('P7 replaced by less than the price: what came is credit, and is said', async ({ chain, rpc, wallet, xray, buyer }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await wasSeenWaiting(rpc, wallet.sent[0]!);
  await again(buyer, chain, wallet.sent[0]!, { value: PRICE_WEI / 2n });
  chain.resume();
  await expect(xray.failure).toContainText('That is not enough yet', { timeout: 15_000 });
  expect(await buyer.credit()).toMatchObject([{ amount: String(PRICE_WEI / 2n) }]);
});
