// What is one's own, and nobody else's: ux.md, section E.

import { Buyer, freshAccount } from './support/buyer.mjs';
import { TOKEN } from './support/contracts.ts';
import { expect, open, test } from './support/test.ts';
import { AGENT, PRICE_WEI } from './support/xray.ts';

test("E1 another's run does not exist: not as a page, not as JSON, not in a list", async ({ browser, guard, shop, chain, xray, page, wallet: _ }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  const path = await xray.main.locator('a[href^="/runs/"]').first().getAttribute('href');

  const stranger = new Buyer(shop.url, chain.url, freshAccount());
  await chain.fund(stranger.account.address);
  await stranger.signIn();
  const theirs = await browser.newContext({ baseURL: shop.url });
  guard.watch(theirs);
  const [name, value] = stranger.cookie.split('=') as [string, string];
  await theirs.addCookies([{ name, value, url: shop.url }]);
  const tab = await theirs.newPage();
  for (const mine of [path!, path!.replace('/runs/', '/receipts/')]) {
    expect((await tab.goto(mine))?.status()).toBe(404);
    await expect(tab.getByText(/There is no such run/)).toBeVisible();
    expect((await page.request.get(mine)).status(), 'and its owner has it').toBe(200);
  }
  expect(await stranger.ask(`/api${path}`)).toMatchObject({ status: 404, json: { code: 'no_such_run' } });
  await tab.goto('/history');
  await expect(tab.getByText('No runs yet.')).toBeVisible();
  await theirs.close();
});

test('E2 the list says when, what, price, state and transaction', async ({ page, wallet, xray }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  await open(page, '/history');
  const row = page.getByRole('row', { name: /Contract X-ray/ });
  await expect(row).toHaveCount(1);
  await expect(row).toContainText('done');
  await expect(row).toContainText('0.0001 MON');
  await expect(row).toContainText(wallet.sent[0]!.slice(0, 8));
  await expect(row.locator('time')).toHaveAttribute('datetime', /^\d{4}-/);
});

test('E6 run again: the form is filled in as it was', async ({ page, xray, wallet: _ }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  await open(page, '/history');
  await page.getByRole('link', { name: 'Contract X-ray' }).first().click();
  await page.getByRole('link', { name: 'Run again' }).click();
  await expect(page).toHaveURL(/\/agents\/contract-xray/);
  await expect(xray.bytecode).toHaveValue(TOKEN);
});

test('E8 history, receipt and credit work while the RPC is down', async ({ page, context, shop, rpc, buyer }) => {
  const { transaction, answer } = await buyer.buy(AGENT, { bytecode: TOKEN }, 2n * PRICE_WEI);
  expect(answer.status).toBe(200);
  rpc.down('shop');
  const [name, value] = buyer.cookie.split('=') as [string, string];
  await context.addCookies([{ name, value, url: shop.url }]);

  await open(page, '/history');
  await expect(page.getByRole('row', { name: /Contract X-ray/ })).toContainText('done');
  await page.getByRole('link', { name: 'Receipt' }).click();
  await expect(page.getByText(transaction)).toBeVisible();
  await open(page, '/credit');
  await expect(page.getByRole('region', { name: 'Your credit' })).toContainText('0.0001 MON');
});

test('E9 a payment that nobody told us of is found while the wallet is watched', async ({ page, market, buyer, wallet, xray }) => {
  wallet.next('eth_sendTransaction', 'reject');
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.main.getByText('Payment cancelled. Nothing was charged.').first()).toBeVisible();

  // The same wallet pays from another window, and no hash ever reaches the shop.
  await buyer.pay({ payTo: market.payTo as `0x${string}`, amount: String(PRICE_WEI) });
  await expect.poll(() => buyer.credit(), { timeout: 20_000 }).toMatchObject([{ amount: String(PRICE_WEI) }]);
  await open(page, '/credit');
  await expect(page.getByRole('row', { name: /Payment arrived/ })).toContainText('0.0001 MON');
});
