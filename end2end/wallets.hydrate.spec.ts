// Wallets that answer otherwise than the one that everybody tests with, or not at all.

import type { Page } from '@playwright/test';
import { TOKEN } from './support/contracts.ts';
import { expect, hydrated, open, test } from './support/test.ts';
import type { RpcError } from './support/wallet.ts';

const connect = (page: Page) => page.getByRole('banner').getByRole('button', { name: 'Connect wallet' });
const account = (page: Page) => page.getByRole('banner').locator('summary');

const refusals: RpcError[] = [
  { code: 5000, message: 'User rejected.' },
  { code: 'ACTION_REJECTED', message: 'x' },
  { code: -32603, message: 'User denied transaction signature.' },
  { code: -32000, message: 'Transaction was cancelled' },
  { code: -32000, message: 'the request has been rejected' },
  { code: -32603, message: 'Internal JSON-RPC error.', data: { cause: { data: { originalError: { code: 4001 } } } } },
  { code: 'UNKNOWN_ERROR', message: 'x', info: { error: { code: 4001 } } },
  { code: -32603, message: 'x', cause: { cause: { code: 5000 } } },
];

test('P6 a no is a no, however the wallet says it: the question is settled, and the same button asks again', async ({ wallet, xray }) => {
  await xray.open();
  await xray.lookAt({ bytecode: TOKEN });
  for (const error of refusals) {
    const asked = wallet.asked('eth_sendTransaction').length;
    wallet.next('eth_sendTransaction', { error });
    await xray.run.click();
    await expect.poll(() => wallet.asked('eth_sendTransaction').length).toBe(asked + 1);
    await expect(xray.failure, JSON.stringify(error)).toContainText('Payment cancelled. Nothing was charged.');
    await expect(xray.underWay).toHaveCount(0);
  }
  await xray.run.click();
  await xray.done();
  expect(wallet.sent).toHaveLength(1);
});

test('P6 a no to connecting is a neutral word too', async ({ wallet, xray }) => {
  wallet.next('eth_requestAccounts', { error: { code: 5000, message: 'User rejected.' } });
  wallet.next('personal_sign', { error: { code: -32603, message: 'User denied message signature.' } });
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.main.getByText('Connection cancelled.').first()).toBeVisible();
  await xray.run.click();
  await expect.poll(() => wallet.asked('personal_sign').length).toBe(1);
  await expect(xray.main.getByText('Connection cancelled.').first()).toBeVisible();
  await xray.run.click();
  await xray.done();
});

const unknown: [string, RpcError][] = [
  ['4902 far inside', { code: -32603, message: 'x', data: { cause: { originalError: { data: { code: 4902 } } } } }],
  ['an internal error', { code: -32603, message: 'Unrecognized chain ID "0x7a69".' }],
  ['a method that it does not have', { code: -32601, message: 'The method "wallet_switchEthereumChain" does not exist.' }],
];

test('P6 a chain that cannot be switched to is offered for adding', async ({ page, wallet, xray }) => {
  await xray.open();
  for (const [n, [what, error]] of unknown.entries()) {
    await test.step(what, async () => {
      await wallet.switchTo(1);
      wallet.next('wallet_switchEthereumChain', { error });
      await xray.lookAt({ bytecode: `0x600160015${n}55` });
      await xray.run.click();
      await expect.poll(() => wallet.sent.length).toBe(n + 1);
      await xray.done();
      expect(wallet.asked('wallet_addEthereumChain')).toHaveLength(n + 1);
    });
  }
  await test.step('a wallet that says "done" and stays where it was', async () => {
    await wallet.switchTo(1);
    wallet.next('wallet_switchEthereumChain', { result: null });
    await xray.lookAt({ bytecode: '0x6001600959' });
    await xray.run.click();
    await expect.poll(() => wallet.sent.length, { timeout: 20_000 }).toBe(unknown.length + 1);
    await xray.done();
    expect(wallet.asked('wallet_addEthereumChain')).toHaveLength(unknown.length + 1);
  });
  expect(page.isClosed()).toBe(false);
});

test('P6 a wallet that never answers leaves the buttons working', async ({ page, wallet, xray }) => {
  test.setTimeout(90_000);
  wallet.next('eth_requestAccounts', 'hold');
  await xray.buy({ bytecode: TOKEN });
  await wallet.question('eth_requestAccounts');
  await expect(xray.run).toBeDisabled();
  await expect(xray.main.getByText('Your wallet has not answered yet.')).toBeVisible({ timeout: 15_000 });
  await expect(connect(page)).toBeEnabled();

  await test.step('a click lets go of it and asks again', async () => {
    await xray.run.click();
    // As MetaMask says it while the first question is open.
    await expect(xray.failure).toContainText('Open MetaMask: a request is waiting there.');
    expect(wallet.asked('eth_requestAccounts')).toHaveLength(2);
    (await wallet.question('eth_requestAccounts')).approve();
  });

  await test.step('a payment that is not answered stays remembered, and is asked for again only on demand', async () => {
    wallet.next('eth_sendTransaction', 'hold');
    await xray.run.click();
    const first = await wallet.question('eth_sendTransaction');
    // The button works all the while, for another call (P8); from now on it lets go of this one.
    await expect(xray.main.getByText('Your wallet has not answered yet.')).toBeVisible({ timeout: 15_000 });
    await expect(xray.run).toBeEnabled();
    await xray.run.click();
    await expect(xray.failure).toContainText('Open MetaMask: a request is waiting there.');
    await expect(xray.main.getByRole('button', { name: 'Ask my wallet again' })).toBeVisible();
    expect(wallet.asked('eth_sendTransaction')).toHaveLength(1);

    // Nobody waits for it any more: its hash is kept and followed all the same.
    first.approve();
    await xray.done();
    expect(wallet.sent).toHaveLength(1);
  });
});

test('P6 a question whose answer got lost: what the wallet tells by itself goes on with it', async ({ page, wallet, xray }) => {
  wallet.next('eth_requestAccounts', 'hold');
  await xray.buy({ bytecode: TOKEN });
  await wallet.question('eth_requestAccounts');
  await wallet.connectByItself();
  await xray.done();
  expect(wallet.asked('eth_requestAccounts')).toHaveLength(1);
  await expect(account(page)).toBeVisible();

  await test.step('the same for the network', async () => {
    await wallet.switchTo(1);
    wallet.next('wallet_switchEthereumChain', 'hold');
    await xray.lookAt({ bytecode: '0x6001600155' });
    await xray.run.click();
    await wallet.question('wallet_switchEthereumChain');
    await wallet.switchTo(31337);
    await expect.poll(() => wallet.sent).toHaveLength(2);
    await xray.done();
  });
});

test("P6 back from the browser's cache, the page asks who is signed in", async ({ page, context, wallet }) => {
  await open(page, '/');
  await connect(page).click();
  await expect(account(page)).toBeVisible();
  const [name] = (await context.cookies()).map((cookie) => cookie.name);
  expect(name).toBeTruthy();

  // Signed out elsewhere while this page was put away.
  const tab = await context.newPage();
  await open(tab, '/');
  await account(tab).click();
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await expect(connect(tab)).toBeVisible();
  await expect(account(page)).toBeVisible();
  // Playwright's Chromium keeps no page: the event is what a page that comes back gets.
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await expect(connect(page)).toBeVisible();
  expect(wallet.windows).toEqual(['eth_requestAccounts', 'personal_sign']);
  await hydrated(page);
});
