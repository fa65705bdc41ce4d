// Every agent on sale, as a visitor meets it: an example is one click away, what is wrong is told before any price, and the answer is
// readable for everybody.

import { check } from './support/access.ts';
import { expect, open, test } from './support/test.ts';
import { ON_SALE, runExample } from './support/agents.ts';

for (const agent of ON_SALE) {
  test(`${agent.slug}: an example, one click away, is paid for and answered`, async ({ page, wallet: _ }) => {
    await open(page, `/agents/${agent.slug}`);
    await check(page, `${agent.slug}, before`);
    await runExample(page, agent);
    const answer = page.getByRole('region', { name: 'Answer', exact: true });
    await expect(answer).toContainText(agent.says);
    await check(page, `${agent.slug}, answered`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide, 'nothing is wider than the screen').toBeLessThanOrEqual(0);
  });

  test(`${agent.slug}: what cannot be used is told at its field, before a price`, async ({ page, wallet }) => {
    await open(page, `/agents/${agent.slug}?input=${encodeURIComponent(JSON.stringify(agent.wrong))}`);
    await page.getByRole('main').getByRole('button', { name: /^Run for / }).click();
    await expect(page.getByRole('main').locator('[aria-invalid=true]').first()).toBeFocused();
    expect(wallet.windows).not.toContain('eth_sendTransaction');
    await check(page, `${agent.slug}, refused`);
  });
}

test('every agent on sale is among them', async ({ page }) => {
  const agents = (await (await page.request.get('/api/agents')).json()) as { slug: string }[];
  expect(agents.map(({ slug }) => slug).sort()).toEqual(ON_SALE.map(({ slug }) => slug).sort());
});

test('a sample is loaded when somebody looks at it', async ({ page }) => {
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await open(page, '/history');
  await page.getByRole('link', { name: 'Agents', exact: true }).click();
  const card = page.getByRole('article', { name: 'Contract X-ray' });
  await expect(card).toBeVisible();
  expect(asked).not.toContain('/api/page/sample');
  await card.getByText('Sample answer').click();
  await expect(card.getByRole('table').first()).toBeVisible();
  expect(asked.filter((path) => path === '/api/page/sample')).toHaveLength(1);
});

test('from one agent’s page to the next, a sample is its own agent’s or none', async ({ guard, page }) => {
  guard.allow(/net::ERR_FAILED/);
  const go = (path: string) =>
    page.evaluate((path) => {
      history.pushState(null, '', path);
      dispatchEvent(new PopStateEvent('popstate'));
    }, path);
  const sample = page.locator('.sample .written');
  await open(page, '/agents/document-brief');
  await expect(sample).toContainText('Harbour Fund');
  await page.route('**/api/page/sample?*', (route) => route.abort());
  await go('/agents/wallet-report');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Wallet Report');
  await expect(sample).toBeEmpty();
  await page.unroute('**/api/page/sample?*');
  await go('/agents/page-brief');
  await expect(sample).toContainText('The Saturday market moves');
});
