// What can be read by anybody: with no wallet, on a phone, and with JavaScript off.

import { expect, test } from './support/test.ts';
import { AGENT, PRICE } from './support/xray.ts';

test('the shop window shows each agent with its price and a sample answer', async ({ page }) => {
  await page.goto('/');
  const card = page.getByRole('article', { name: 'Contract X-ray' });
  await expect(card.getByText(PRICE).first()).toBeVisible();
  await expect(card).toContainText('Who can mint, block, pause, upgrade or drain');
  await card.getByText('Sample answer').click();
  await expect(card.getByRole('table').first()).toBeVisible();
});

test("an agent's page tells price, fee, network and recipient before anything is clicked", async ({ page, market }) => {
  await page.goto('/');
  await page.getByRole('link', { name: 'Contract X-ray', exact: true }).first().click();
  await expect(page).toHaveURL(`/agents/${AGENT}`);
  const bill = page.getByRole('complementary', { name: 'What you pay' });
  await expect(bill).toContainText(PRICE);
  await expect(bill).toContainText('about 0.0021 MON');
  await expect(bill).toContainText('Local chain');
  const quote = page.getByRole('main').locator('dl.quote');
  await expect(quote).toContainText('0.0022 MON');
  await expect(quote).toContainText(market.payTo.slice(0, 6).toLowerCase());
  await expect(page.getByRole('heading', { name: 'A sample answer' })).toBeVisible();
});

test("an agent's page prints what a program does, from its address to its price", async ({ page, shop }) => {
  await page.goto(`/agents/${AGENT}`);
  await page.locator('#tab-api').click();
  const api = page.locator('#api');
  await expect(api.getByText(`${shop.url}/api/x402/${AGENT}`, { exact: true })).toBeVisible();
  await expect(api.getByText(`${shop.url}/mcp`, { exact: true })).toBeVisible();
  await expect(api.locator('dl')).toContainText(PRICE);
  await expect(api.locator('[data-snippet=curl]')).toContainText(`curl -i '${shop.url}/api/x402/${AGENT}'`);
  for (const name of ['openapi.json', 'llms.txt']) await expect(api.getByRole('link', { name })).toHaveAttribute('href', `/${name}`);
});

test('what a visitor downloads of the page’s program stays as small as it is', async ({ page, shop }) => {
  const html = await (await page.request.get('/')).text();
  const wasm = /href="(\/pkg\/coinslot\.[0-9a-f]+\.wasm)"/.exec(html)![1]!;
  const answer = await fetch(new URL(wasm, shop.url), { headers: { 'accept-encoding': 'br' }, method: 'HEAD' });
  expect(answer.headers.get('content-encoding')).toBe('br');
  expect(Number(answer.headers.get('content-length'))).toBeLessThan(525_000);
});

test('what is not there is a 404 that leads back', async ({ page }) => {
  for (const path of ['/agents/nothing', '/nothing', '/runs/nothing', '/receipts/nothing']) {
    expect((await page.goto(path))?.status(), path).toBe(404);
    await expect(page.getByRole('main')).toContainText(/There is no such|no such run/);
  }
});

test("history and credit ask for a wallet, and show nobody's", async ({ page }) => {
  for (const path of ['/history', '/credit']) {
    await page.goto(path);
    await expect(page.getByRole('main')).toContainText('Connect your wallet to see');
  }
});

test('what one sees comes from here, under a policy that allows nothing else', async ({ page }) => {
  const answer = await page.goto('/');
  const headers = answer!.headers();
  const policy = headers['content-security-policy'] ?? '';
  expect(policy).toMatch(/script-src [^;]*'nonce-/);
  expect(policy).not.toContain("'unsafe-inline'");
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
  expect(await page.locator('[onclick], [onerror], [onload]').count()).toBe(0);
});

test('opening a paid address in a browser shows a page, with its price in the header', async ({ page }) => {
  const answer = await page.goto(`/api/x402/${AGENT}`);
  expect(answer?.status()).toBe(402);
  expect(answer?.headers()['content-type']).toContain('text/html');
  expect(answer?.headers()['payment-required']).toBeTruthy();
  await expect(page.getByRole('link').first()).toHaveAttribute('href', /contract-xray/);
});
