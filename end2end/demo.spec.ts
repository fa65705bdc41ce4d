// `coinslot demo`, which is what `make run` ends in: no extension, no faucet, no internet. And nothing of it in `serve`.

import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { verifyTypedData, type Hex } from 'viem';
import { freshAccount } from './support/buyer.mjs';
import { expect, open, test as guarded } from './support/guard.ts';
import { freePort, Shop } from './support/shop.mjs';
import { test as market } from './support/test.ts';
import { XrayPage } from './support/xray.ts';

const test = guarded.extend<{}, { demo: Shop }>({
  demo: [
    async ({}, use) => {
      const demo = new Shop('demo', await freePort());
      await demo.start();
      await use(demo);
      await demo.stop();
      demo.forget();
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  baseURL: async ({ demo }, use) => use(demo.url),
});

const DOLLAR = '0x95bd8d42f30351685e96c62eddc0d0613bf9a87a';
const PAY_TO = '0xc0157070636f696e736c6f742064656d6fc01570';

/** 2.5 dollars by EIP-3009. */
const payment = {
  domain: { name: 'Demo Dollar', version: '2', chainId: 31337, verifyingContract: DOLLAR },
  types: {
    TransferWithAuthorization: [
      { name: 'from', type: 'address' }, { name: 'to', type: 'address' }, { name: 'value', type: 'uint256' },
      { name: 'validAfter', type: 'uint256' }, { name: 'validBefore', type: 'uint256' }, { name: 'nonce', type: 'bytes32' },
    ],
  },
  primaryType: 'TransferWithAuthorization',
  message: {
    from: '0x70997970c51812dc3a010c7d01b50e0d17dc79c8', to: PAY_TO, value: '2500000', validAfter: '0', validBefore: '4000000000',
    nonce: `0x${'5a'.repeat(32)}`,
  },
} as const;

/** In the page: finds the demo wallet (EIP-6963), connects, and asks it to sign. */
async function signTyped({ typed }: { typed: object }): Promise<{ account?: Hex; signature?: Hex; code?: number; message?: string }> {
  type Provider = { request(asked: { method: string; params?: unknown[] }): Promise<any> };
  const provider = await new Promise<Provider>((found) => {
    window.addEventListener('eip6963:announceProvider', (event) => {
      const { info, provider } = (event as CustomEvent).detail;
      if (info.rdns === 'org.coinslot.demo') found(provider);
    });
    window.dispatchEvent(new Event('eip6963:requestProvider'));
  });
  try {
    const [account] = await provider.request({ method: 'eth_requestAccounts' });
    const signature = await provider.request({ method: 'eth_signTypedData_v4', params: [account, JSON.stringify(typed)] });
    return { account, signature };
  } catch (error) {
    const { code, message } = error as { code: number; message: string };
    return { code, message };
  }
}

/** The demo wallet asks in the page, as an extension does beside it. */
const sheet = (page: Page) => page.getByRole('dialog', { name: /demo wallet/i });
const confirm = (page: Page) => sheet(page).getByRole('button', { name: /^(Connect|Sign|Confirm|Approve|Pay)/ }).click();
const decline = (page: Page) => sheet(page).getByRole('button', { name: /^(Cancel|Reject|Decline)/ }).click();

test('a first visitor runs the example with the demo wallet, from the printed address to the receipt', async ({ page, demo }) => {
  expect((await demo.said()).trim().split('\n')).toEqual([`Coinslot is open at ${demo.url}`]);
  const xray = new XrayPage(page);
  await open(page, '/');
  await page.getByRole('link', { name: /Contract X-ray/ }).first().click();
  await xray.main.getByRole('button', { name: 'the demo’s token' }).click();
  await xray.run.click();

  await test.step('connect, sign in, pay: three questions, each in words', async () => {
    await confirm(page);
    await expect(sheet(page)).toContainText('wants you to sign in');
    await confirm(page);
    await expect(sheet(page)).toContainText('0.0001 MON');
    await confirm(page);
  });
  await xray.done();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();
  await xray.answer.getByRole('link', { name: 'Receipt' }).click();
  await expect(page.getByRole('heading', { name: 'Receipt' })).toBeVisible();
  expect(await demo.books()).toBeTruthy();
});

test('the same in dollars: one signature more, no coins, and the choice is still there the next time', async ({ page, demo }) => {
  const xray = new XrayPage(page);
  await xray.open();
  await xray.main.getByRole('button', { name: 'the demo’s token' }).click();
  await xray.inDollars.check();
  await xray.runForDollars.click();
  await confirm(page);
  await expect(sheet(page)).toContainText('wants you to sign in');
  await confirm(page);
  await expect(sheet(page)).toContainText('0.001 USDC');
  await confirm(page);
  await xray.done();
  await expect(xray.answer).toContainText('By authorization, settled in');
  await xray.open();
  await expect(xray.inDollars).toBeChecked();
  expect(await demo.books()).toBeTruthy();
});

test('P1 the demo wallet pays through a relayer where its switch says so, and the payment buys the answer', async ({ page, demo }) => {
  const xray = new XrayPage(page);
  await xray.open();
  await xray.main.getByRole('button', { name: 'the demo’s token' }).click();
  await xray.run.click();
  await confirm(page);
  await expect(sheet(page)).toContainText('wants you to sign in');
  await confirm(page);
  const relay = sheet(page).getByRole('checkbox', { name: 'Pay through a relayer, as MetaMask’s gas sponsorship does' });
  await expect(sheet(page)).toContainText('at most');
  await relay.check();
  await expect(sheet(page)).toContainText('None for you: the relayer pays it');
  await confirm(page);
  await xray.done();
  await expect(xray.answer).toContainText("network fee, paid by the wallet's sponsor");

  await test.step('the switch is remembered, and can be taken back', async () => {
    await xray.lookAt({ bytecode: '0x6001600155' });
    await xray.run.click();
    await expect(relay).toBeChecked();
    await relay.uncheck();
    await confirm(page);
    await expect(xray.status).toHaveText('Done.');
  });
  expect(await demo.books()).toBeTruthy();
});

test('declining in the demo wallet charges nothing', async ({ page }) => {
  const xray = new XrayPage(page);
  await xray.open();
  await xray.main.getByRole('button', { name: 'the demo’s token' }).click();
  await xray.run.click();
  await decline(page);
  await expect(xray.main.getByText('Connection cancelled.').first()).toBeVisible();
});

test('the faucet gives play money to any address, and the local chain answers for it', async ({ request }) => {
  const { address } = freshAccount();
  const gift = await request.post('/demo/faucet', { data: { address } });
  expect(gift.ok()).toBe(true);
  const balance = await request.post('/demo/rpc', { data: { jsonrpc: '2.0', id: 1, method: 'eth_getBalance', params: [address, 'latest'] } });
  expect(BigInt((await balance.json()).result)).toBe(10n ** 18n);
  const { dollars } = await gift.json();
  expect(dollars).toMatchObject({ amount: '10000000', token: DOLLAR });
});

test('the demo wallet says in words what a signature pays, and its signature is good', async ({ page }) => {
  await page.goto('/');
  const asked = page.evaluate(signTyped, { typed: payment });
  await confirm(page); // connect
  await expect(sheet(page)).toContainText('Sign this payment?');
  for (const words of ['2.5 USDC', PAY_TO, DOLLAR, 'Valid until', 'None for you']) await expect(sheet(page)).toContainText(words);
  await confirm(page);
  const { signature, account } = await asked;
  const message = { ...payment.message, value: 2_500_000n, validAfter: 0n, validBefore: 4_000_000_000n };
  expect(await verifyTypedData({ ...payment, message, address: account!, signature: signature! })).toBe(true);

  await test.step('what is no payment is shown as it is', async () => {
    const other = page.evaluate(signTyped, { typed: { ...payment, primaryType: 'Mail', types: { Mail: [{ name: 'text', type: 'string' }] }, message: { text: 'hello' } } });
    await expect(sheet(page)).toContainText('Sign this message?');
    await expect(sheet(page)).toContainText('"text": "hello"');
    await decline(page);
    expect((await other).code).toBe(4001);
  });
  await test.step('another chain is refused without a question, as MetaMask does', async () => {
    const foreign = await page.evaluate(signTyped, { typed: { ...payment, domain: { ...payment.domain, chainId: 143 } } });
    expect(foreign).toMatchObject({ code: -32603, message: 'Provided chainId "143" must match the active chainId "31337"' });
  });
});

test('the local chain does what is listed, and is nobody else\'s', async ({ request }) => {
  const cheat = await request.post('/demo/rpc', { data: { jsonrpc: '2.0', id: 1, method: 'anvil_mine', params: ['0x5'] } });
  expect(await cheat.json()).toMatchObject({ error: { code: -32601 } });
  const stranger = await request.post('/demo/rpc', {
    data: { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] },
    headers: { host: 'evil.example' },
  });
  expect(stranger.status()).toBe(403);
});

test('Ctrl-C stops everything that it started', async () => {
  test.skip(process.platform !== 'linux', 'reads /proc');
  const own = new Shop('demo', await freePort());
  await own.start();
  const children = readFileSync(`/proc/${own.pid}/task/${own.pid}/children`, 'utf8').split(' ').filter(Boolean);
  expect(children.length).toBeGreaterThan(0);
  await own.stop();
  const alive = children.filter((pid) => {
    try {
      return process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  });
  expect(alive).toEqual([]);
  own.forget();
});

market('serve knows nothing of the demo', async ({ request }) => {
  for (const path of ['/demo', '/demo/', '/demo/rpc', '/demo/faucet', '/demo/wallet.js', '/demo/wallet.css']) {
    expect((await request.get(path)).status(), `GET ${path}`).toBe(404);
    expect((await request.post(path, { data: {} })).status(), `POST ${path}`).toBe(404);
  }
});
