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
