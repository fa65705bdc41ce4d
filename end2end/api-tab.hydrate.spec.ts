// The two tabs of an agent's page, and what the second has for programs. Without JavaScript both are sections: browse.spec.ts.

import { expect, hydrated, open, test } from './support/test.ts';
import { AGENT } from './support/xray.ts';

test('the tabs are one stop, the arrows go between them, and the address names the one that is shown', async ({ page }) => {
  await open(page, `/agents/${AGENT}`);
  const [run, api] = [page.getByRole('tab', { name: 'Run' }), page.getByRole('tab', { name: 'API' })];
  await expect(run).toHaveAttribute('aria-selected', 'true');
  await expect(page.locator('#api')).toBeHidden();

  await run.focus();
  await page.keyboard.press('ArrowRight');
  await expect(api).toBeFocused();
  await expect(api).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByRole('tabpanel', { name: 'API' })).toBeVisible();
  await expect(page.locator('#run')).toBeHidden();
  await expect(page).toHaveURL(/#api$/);

  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Tab');
  await expect(api, 'the tab that is shown is the one stop').toBeFocused();
  await page.keyboard.press('Home');
  await expect(run).toBeFocused();
  await expect(page.getByRole('tabpanel', { name: 'Run' })).toBeVisible();
  await page.keyboard.press('End');
  await expect(api).toBeFocused();
});

test('an address that names the API tab opens it', async ({ page }) => {
  await open(page, `/agents/${AGENT}#api`);
  await expect(page.getByRole('tab', { name: 'API' })).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByRole('tabpanel', { name: 'API' })).toBeVisible();
  await page.getByRole('tab', { name: 'Run' }).click();
  await expect(page.locator('#api')).toBeHidden();
  await page.reload();
  await hydrated(page);
  await expect(page.getByRole('tabpanel', { name: 'Run' })).toBeVisible();
});

test('what stands in the form is still there after a look at the API', async ({ page, xray }) => {
  await xray.open();
  await xray.lookAt({ bytecode: '0x6080' });
  await page.getByRole('tab', { name: 'API' }).click();
  await expect(xray.bytecode).toBeHidden();
  await page.getByRole('tab', { name: 'Run' }).click();
  await expect(xray.bytecode).toHaveValue('0x6080');
});

test('a program is copied as it is printed', async ({ page, context, shop }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open(page, `/agents/${AGENT}#api`);
  const curl = page.getByRole('region', { name: /^curl/ });
  await curl.getByRole('button', { name: 'Copy program' }).click();
  await expect(curl.getByText('Copied')).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(await curl.locator('pre').textContent());
  expect(copied).toContain(`'${shop.url}/api/x402/${AGENT}'`);
});
