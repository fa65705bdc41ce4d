// The wallet and signing in, before any money: ux.md, section A.

import type { Page } from '@playwright/test';
import { TOKEN } from './support/contracts.ts';
import { freshAccount } from './support/buyer.mjs';
import { expect, hydrated, open, test } from './support/test.ts';
import { Wallet } from './support/wallet.ts';
import { XrayPage } from './support/xray.ts';

/** The header's name of who is signed in; the menu is behind it. */
const account = (page: Page, { address }: { address: string }) =>
  page.getByRole('banner').locator('summary').getByText(`${address.slice(0, 6)}…${address.slice(38)}`.toLowerCase());

async function signOut(page: Page) {
  await page.getByRole('banner').locator('summary').click();
  await page.getByRole('button', { name: 'Sign out' }).click();
}

test('A1 no wallet found: everything stays readable, and the button says where to get one', async ({ page, xray }) => {
  await open(page, '/');
  await expect(page.getByText('0.0001 MON').first()).toBeVisible();
  await xray.open();
  await expect(xray.main.getByRole('link', { name: 'Get MetaMask' }).first()).toHaveAttribute('href', /metamask/);
  await expect(xray.run).toHaveCount(0);
});

test.describe('on a phone', () => {
  test.use({ userAgent: 'Mozilla/5.0 (Linux; Android 15; Pixel 7) AppleWebKit/537.36 Chrome/156.0.0.0 Mobile Safari/537.36' });

  test('A1 no wallet found: the page opens inside MetaMask', async ({ xray, shop }) => {
    await xray.open();
    const here = `${new URL(shop.url).host}/agents/contract-xray`;
    await expect(xray.main.getByRole('link', { name: 'Get MetaMask' }).first()).toHaveAttribute('href', new RegExp(`/dapp/${here}$`));
  });
});

for (const how of ['twice', 'late', 'legacy'] as const) {
  test.describe(`a wallet that is announced ${how}`, () => {
    test.use({ announcement: { how } });

    test(`A1 a wallet that is announced "${how}" is found, once`, async ({ page, wallet }) => {
      await open(page, '/');
      await page.getByRole('banner').getByRole('button', { name: /^Connect/ }).click();
      await expect(account(page, wallet)).toBeVisible();
      expect(wallet.asked('eth_requestAccounts')).toHaveLength(1);
    });
  });
}

test('A2 several wallets: a picker with names and icons, and the choice is remembered until one signs out', async ({ page, context, wallet, rpc }) => {
  // An icon that is not a data: URI would be a request to whoever named it.
  const other = await Wallet.install(context, rpc.url('wallet'), {
    rdns: 'example.other',
    name: '<b>Other</b> Wallet',
    icon: 'https://icons.example/o.png',
  });
  await open(page, '/');
  await page.getByRole('banner').getByRole('button', { name: /^Connect/ }).click();
  const picker = page.getByRole('dialog');
  await expect(picker.getByRole('button', { name: 'MetaMask' }).locator('img')).toHaveAttribute('src', /^data:/);
  const second = picker.getByRole('button', { name: '<b>Other</b> Wallet' });
  await expect(second.locator('img')).toHaveCount(0);
  await second.click();
  await expect(account(page, other)).toBeVisible();
  expect(wallet.windows).toEqual([]);

  // The session ends, the choice does not.
  await context.clearCookies();
  await page.reload();
  await hydrated(page);
  await page.getByRole('banner').getByRole('button', { name: /^Connect/ }).click();
  await expect(account(page, other)).toBeVisible();
  await expect(picker).toBeHidden();

  // Who signs out is asked again: it may be another wallet's turn.
  await signOut(page);
  await page.getByRole('banner').getByRole('button', { name: /^Connect/ }).click();
  await picker.getByRole('button', { name: 'MetaMask' }).click();
  await expect(account(page, wallet)).toBeVisible();
});

test('A3 a page load opens no wallet window, and a wallet of before is there again', async ({ page, wallet }) => {
  await open(page, '/');
  expect(wallet.windows).toEqual([]);
  await page.getByRole('banner').getByRole('button', { name: /^Connect/ }).click();
  await expect(account(page, wallet)).toBeVisible();
  expect(wallet.windows).toEqual(['eth_requestAccounts', 'personal_sign']);

  await page.reload();
  await hydrated(page);
  await expect(account(page, wallet)).toBeVisible();
  expect(wallet.windows).toHaveLength(2);
});

for (const [method, what] of [['eth_requestAccounts', 'connecting'], ['personal_sign', 'signing in']] as const) {
  test(`A4 ${what} is declined: a neutral word, and the button lives again`, async ({ wallet, xray }) => {
    wallet.next(method, 'reject');
    await xray.buy({ bytecode: TOKEN });
    await expect(xray.main.getByText('Connection cancelled.').first()).toBeVisible();
    expect(wallet.asked(method)).toHaveLength(1);

    await xray.run.click();
    await xray.done();
  });
}

test('A5 a request waits in the wallet: said, and not asked a second time', async ({ page, context, wallet, xray }) => {
  wallet.next('eth_requestAccounts', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_requestAccounts');

  const tab = await context.newPage();
  await open(tab, '/');
  await tab.getByRole('banner').getByRole('button', { name: /^Connect/ }).click();
  await expect(tab.getByText('Open MetaMask: a request is waiting there.').first()).toBeVisible();
  expect(wallet.asked('eth_requestAccounts')).toHaveLength(2);

  question.approve();
  await xray.done();
  expect(wallet.asked('eth_requestAccounts')).toHaveLength(2);
  await expect(account(page, wallet)).toBeVisible();
});

test('A6 what the wallet shows names this site, this chain and an end', async ({ shop, wallet, xray }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  const [[message]] = wallet.asked('personal_sign') as [[string]];
  const text = Buffer.from(message.slice(2), 'hex').toString();
  expect(text).toMatch(new RegExp(`^${new URL(shop.url).host} wants you to sign in with your Ethereum account:\n${wallet.account.address}\n`));
  expect(text).toContain(`\nURI: ${shop.url}\n`);
  expect(text).toContain('\nChain ID: 31337\n');
  expect(text).toMatch(/\nNonce: [0-9A-Za-z]{8,}\nIssued At: \S+\nExpiration Time: \S+$/);
});

test('A7 the wallet disconnects the site: signed out', async ({ page, wallet }) => {
  await open(page, '/history');
  await page.getByRole('main').getByRole('button', { name: /^Connect/ }).click();
  await expect(account(page, wallet)).toBeVisible();

  await wallet.disconnect();
  await expect(page.getByRole('banner').getByRole('button', { name: /^Connect/ })).toBeVisible();
  await expect(page.getByRole('main').getByRole('button', { name: /^Connect/ })).toBeVisible();
});

test("A7 another account is picked: the first one's history disappears at once", async ({ page, wallet, xray }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  await open(page, '/history');
  await expect(page.getByRole('main').getByText('Contract X-ray').first()).toBeVisible();

  await wallet.select(freshAccount());
  await expect(page.getByRole('main').getByText('Contract X-ray')).toHaveCount(0);
  await expect(page.getByRole('main').getByRole('button', { name: /^(Connect|Sign in)/ })).toBeVisible();
});

test('A8 a locked wallet keeps its address listed: the question waits for the unlock and goes on', async ({ wallet, xray }) => {
  wallet.permit();
  wallet.lock();
  await xray.buy({ bytecode: TOKEN });
  await expect.poll(() => wallet.windows.length).toBeGreaterThan(0);
  expect(wallet.signatures).toEqual([]);
  wallet.unlock();
  await xray.done();
});

test('A8 a disconnected wallet: a sentence and a retry', async ({ wallet, xray }) => {
  wallet.next('eth_requestAccounts', { error: { code: 4900, message: 'The provider is disconnected from all chains.' } });
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.page.getByText('Your wallet is locked or not connected.').first()).toBeVisible();
  await xray.page.getByRole('button', { name: 'Try again' }).first().click();
  await expect(account(xray.page, wallet)).toBeVisible();
});

test('A9 signing in is asked for at the run button, and the run goes on by itself', async ({ wallet, xray }) => {
  await xray.open();
  await xray.lookAt({ bytecode: TOKEN });
  expect(wallet.windows).toEqual([]);
  await xray.run.click();
  await xray.done();
  expect(wallet.windows).toEqual(['eth_requestAccounts', 'personal_sign', 'eth_sendTransaction']);
});

test('A9 signing out takes the session away in every tab', async ({ page, context, wallet }) => {
  await open(page, '/');
  await page.getByRole('banner').getByRole('button', { name: /^Connect/ }).click();
  await expect(account(page, wallet)).toBeVisible();
  await signOut(page);
  await expect(page.getByRole('banner').getByRole('button', { name: /^Connect/ })).toBeVisible();

  const tab = await context.newPage();
  await open(tab, '/history');
  await expect(new XrayPage(tab).main.getByRole('button', { name: /^Connect/ })).toBeVisible();
});
