// A visitor pays with dollars: the wallet signs, the shop sends. ux.md's numbers, where a token is otherwise than coin.

import type { Page } from '@playwright/test';
import { check } from './support/access.ts';
import { freshAccount } from './support/buyer.mjs';
import { CHAIN_ID } from './support/chain.mjs';
import { TOKEN } from './support/contracts.ts';
import { expect, hydrated, open, test } from './support/test.ts';
import type { TypedData } from './support/wallet.ts';
import { AGENT, DOLLAR_UNITS, payment } from './support/xray.ts';

test.use({ sellsForDollars: true });

const SIGN = 'eth_signTypedData_v4';
const CANCELLED = 'Signature cancelled. Nothing was charged.';
const term = (page: Page, name: string) =>
  page.getByRole('main').locator('dt', { hasText: name }).filter({ visible: true }).locator('xpath=following-sibling::dd[1]');

test('one signature, no transaction and no coins: the run is paid in dollars', async ({ page, chain, market, dollar, wallet, xray, buyer }) => {
  await chain.fund(wallet.address, 0n);
  await dollar.give(wallet.address, 5n * DOLLAR_UNITS);
  const earned = await dollar.balance(market.payTo);
  await xray.buyForDollars({ bytecode: TOKEN });
  await xray.done();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();

  expect(wallet.windows).toEqual(['eth_requestAccounts', 'personal_sign', SIGN]);
  expect(wallet.sent).toEqual([]);
  expect(await dollar.balance(wallet.address)).toBe(4n * DOLLAR_UNITS);
  expect(await dollar.balance(market.payTo)).toBe(earned + DOLLAR_UNITS);
  expect(await buyer.credit()).toEqual([]);

  await expect(xray.answer).toContainText('By authorization, settled in');
  await expect(xray.answer).not.toContainText('and about');
  await xray.answer.getByRole('link', { name: 'Receipt' }).click();
  await expect(term(page, 'Transaction')).toContainText('Paid by authorization, settled by the shop in');
  await expect(page.getByRole('main')).toContainText('0.001 USDC');
  await open(page, '/history');
  await expect(page.getByRole('row', { name: /Contract X-ray/ })).toContainText('0.001 USDC');
});

test('B2 both ways are shown with what they come to in all', async ({ wallet: _, xray }) => {
  await xray.open();
  await expect(xray.inCoin).toBeChecked();
  await expect(xray.main.getByRole('radio', { name: /^0\.0022 MON\s+0\.0001 MON and about 0\.0021 MON network fee$/ })).toHaveCount(1);
  await expect(xray.main.getByRole('radio', { name: /^0\.001 USDC\s+No network fee/ })).toHaveCount(1);
  await expect(term(xray.page, 'Total')).toHaveText('0.0022 MON');

  await xray.inDollars.check();
  await expect(term(xray.page, 'Price')).toHaveText('0.001 USDC');
  await expect(term(xray.page, 'Network fee')).toContainText('none');
  await expect(term(xray.page, 'Total')).toHaveText('0.001 USDC');
  await expect(xray.runForDollars).toBeEnabled();
});

test('B4 what the wallet is asked to sign says everything exactly, and is what is sent', async ({ market, dollar, wallet, xray }) => {
  await dollar.give(wallet.address, DOLLAR_UNITS);
  const before = Math.floor(Date.now() / 1000);
  wallet.next(SIGN, 'hold');
  await xray.buyForDollars({ bytecode: TOKEN });
  const question = await wallet.question(SIGN);
  await expect(xray.status).toHaveText('Sign for 0.001 USDC in your wallet. There is no network fee.');
  const [from, { domain, message, primaryType }] = question.params as [string, TypedData];
  question.approve();
  await xray.done();

  expect(from.toLowerCase()).toBe(wallet.address);
  expect(primaryType).toBe('TransferWithAuthorization');
  expect(domain).toEqual({ name: 'Demo Dollar', version: '2', chainId: CHAIN_ID, verifyingContract: dollar.address });
  expect(message).toMatchObject({ from: wallet.address, to: market.payTo.toLowerCase(), value: '1000', validAfter: '0' });
  expect(message.nonce).toMatch(/^0x[0-9a-f]{64}$/);
  expect(Number(message.validBefore)).toBeGreaterThan(before + 60);

  const paid = xray.paid()[0]!;
  expect(payment(paid).payload).toEqual({ signature: `0x${wallet.signatures.at(-1)}`, authorization: message });
  expect(payment(paid).accepted).toMatchObject({ amount: '1000', asset: dollar.address });
  expect(paid.headers()['payment-signature']).toBe(paid.headers()['x-payment']);
});

test('B5 too few dollars: said with the numbers before the wallet opens', async ({ dollar, wallet, xray }) => {
  await dollar.give(wallet.address, DOLLAR_UNITS - 1n);
  await xray.buyForDollars({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Your wallet has 0.000999 USDC on Local chain. This call needs 0.001 USDC. Nothing was charged.');
  expect(wallet.asked(SIGN)).toEqual([]);

  await dollar.give(wallet.address, 1n);
  await xray.runForDollars.click();
  await xray.done();
});

test('B7 the signature is declined: nothing was charged, and the same offer is signed with the next click', async ({ dollar, wallet, xray }) => {
  await dollar.give(wallet.address, DOLLAR_UNITS);
  wallet.next(SIGN, 'reject');
  await xray.buyForDollars({ bytecode: TOKEN });
  await expect(xray.failure).toContainText(CANCELLED);
  expect(xray.paid()).toEqual([]);
  const offers = xray.statuses().filter((status) => status === 402).length;

  await xray.runForDollars.click();
  await xray.done();
  expect(xray.statuses().filter((status) => status === 402)).toHaveLength(offers);
  expect(await dollar.balance(wallet.address)).toBe(0n);
});

test('B7 declined in dollars, paid in coin: the choice is free until somebody has signed', async ({ dollar, wallet, xray }) => {
  await dollar.give(wallet.address, DOLLAR_UNITS);
  wallet.next(SIGN, 'reject');
  await xray.buyForDollars({ bytecode: TOKEN });
  await expect(xray.failure).toContainText(CANCELLED);
  await xray.inCoin.check();
  await xray.run.click();
  await xray.done();
  expect(wallet.sent).toHaveLength(1);
  expect(await dollar.balance(wallet.address)).toBe(DOLLAR_UNITS);
});

test('B3 another network: switched first, since typed data for another chain is refused', async ({ dollar, wallet, xray }) => {
  await dollar.give(wallet.address, DOLLAR_UNITS);
  wallet.chainId = 1;
  await xray.buyForDollars({ bytecode: TOKEN });
  await xray.done();
  expect(wallet.windows).toEqual(['eth_requestAccounts', 'personal_sign', 'wallet_switchEthereumChain', SIGN]);
});

test('B3 switching is refused: nothing is signed', async ({ dollar, wallet, xray }) => {
  await dollar.give(wallet.address, DOLLAR_UNITS);
  wallet.chainId = 1;
  wallet.next('wallet_switchEthereumChain', 'reject');
  await xray.buyForDollars({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Your wallet is on another network. Nothing was charged.');
  expect(wallet.asked(SIGN)).toEqual([]);
});

test('B15 network or account change after the look at the balance: blocked', async ({ dollar, rpc, wallet, xray }) => {
  await dollar.give(wallet.address, 2n * DOLLAR_UNITS);
  let change: (() => void) | undefined = () => (wallet.chainId = 1);
  rpc.fault(({ method }, side) => {
    if (side === 'wallet' && method === 'eth_call') {
      change?.();
      change = undefined;
    }
    return undefined;
  });
  await xray.buyForDollars({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Your wallet is on another network. Nothing was charged.');

  change = () => (wallet.accounts = [freshAccount()]);
  await xray.runForDollars.click();
  await expect(xray.failure).toContainText('Your wallet switched to another account. Nothing was charged.');
  expect(wallet.asked(SIGN)).toEqual([]);
});

test('B8 an error of the wallet: nothing was charged, its own words under Details', async ({ dollar, wallet, xray }) => {
  await dollar.give(wallet.address, DOLLAR_UNITS);
  wallet.next(SIGN, { error: { code: -32603, message: 'something <i>inside</i>' } });
  await xray.buyForDollars({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Your wallet answered with an error. Nothing was charged.');
  await xray.failure.getByText('Details', { exact: true }).click();
  await expect(xray.main.getByText('something <i>inside</i>')).toBeVisible();
  // Nothing is open in the wallet, and no payment can come of it: the next click simply asks.
  await xray.runForDollars.click();
  await xray.done();
});

test('the choice is remembered, on this and on every other visit', async ({ page, dollar, wallet, xray }) => {
  await dollar.give(wallet.address, DOLLAR_UNITS);
  await xray.buyForDollars({ bytecode: TOKEN });
  await xray.done();
  await page.reload();
  await hydrated(page);
  await expect(xray.inDollars).toBeChecked();
  await expect(xray.runForDollars).toBeEnabled();

  await xray.inCoin.check();
  await xray.open();
  await expect(xray.inCoin).toBeChecked();
});

test('C9 reloaded after signing: the same payment goes on, and the wallet is not asked again', async ({ page, guard, dollar, wallet, xray, buyer }) => {
  guard.allow(/net::ERR_FAILED/);
  await dollar.give(wallet.address, 5n * DOLLAR_UNITS);
  // The server does not hear of it while this page lives.
  await page.route(`**/api/x402/${AGENT}`, (route) => ('x-payment' in route.request().headers() ? route.abort() : route.continue()));
  await xray.buyForDollars({ bytecode: TOKEN });
  await expect.poll(() => wallet.signatures.length).toBe(2);
  await expect(xray.status).toHaveText('Signed. The shop is checking it.');
  await page.unroute(`**/api/x402/${AGENT}`);
  await page.reload();
  await xray.done();

  expect(wallet.asked(SIGN)).toHaveLength(1);
  expect(await dollar.balance(wallet.address)).toBe(4n * DOLLAR_UNITS);
  expect(await buyer.credit()).toEqual([]);
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage })), 'forgotten when it is done').not.toContain('x402Version');
});

test('D2 the agent fails: the authorization was not used, and trying again takes the same one', async ({ chain, guard, rpc, dollar, wallet, xray, buyer }) => {
  guard.allow(/status of 50[03]/);
  await dollar.give(wallet.address, DOLLAR_UNITS);
  const { address } = freshAccount();
  await chain.setCode(address, TOKEN);
  wallet.next(SIGN, 'hold');
  await xray.buyForDollars({ address: address.toLowerCase() });
  const question = await wallet.question(SIGN);
  const broken = { error: { code: -32000, message: 'state is not available' } };
  rpc.fault(({ method, params }, side) =>
    side === 'shop' && method === 'eth_getCode' && String(params?.[0]).toLowerCase() === address.toLowerCase() ? broken : undefined,
  );
  question.approve();
  await expect(xray.failure).toContainText('You were not charged');
  await expect(xray.failure).toContainText(/your authorization was not used/i);
  expect(await dollar.balance(wallet.address)).toBe(DOLLAR_UNITS);
  expect(await buyer.credit()).toEqual([]);

  rpc.clear();
  await xray.tryAgain.click();
  await xray.done();
  expect(wallet.asked(SIGN)).toHaveLength(1);
  expect(await dollar.balance(wallet.address)).toBe(0n);
});

test('the choice and a signed answer can be used by everybody, light and dark, on a desk and on a phone', async ({ page, dollar, wallet, xray }) => {
  test.slow(); // eight pages are searched by axe, which keeps a core busy
  await dollar.give(wallet.address, DOLLAR_UNITS);
  const everywhere = async (what: string) => {
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 844 });
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await check(page, `${what}, ${colorScheme}, ${width} pixels`);
      }
    }
  };
  await xray.open();
  await xray.lookAt({ bytecode: TOKEN });
  // With the keyboard alone: the arrows choose, and the focus is seen.
  await xray.inCoin.focus();
  await page.keyboard.press('ArrowDown');
  await expect(xray.inDollars).toBeChecked();
  await everywhere('the choice');
  await xray.runForDollars.click();
  await xray.done();
  await everywhere('the answer');
});
