// Everybody can use it: axe finds nothing, the focus is seen, nothing is cut off. Every page, light and dark, desk and phone.

import { check } from './support/access.ts';
import { TOKEN } from './support/contracts.ts';
import { expect, open, test } from './support/test.ts';
import { asPayer, PUBLIC } from './support/visits.ts';

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    for (const path of PUBLIC) {
      test(`${colorScheme}: ${path}`, async ({ page }) => {
        await open(page, path);
        await check(page, path);
      });
    }

    test(`${colorScheme}: pages of a payer`, async ({ page, context, buyer }) => {
      test.slow(); // each page is searched by axe, which keeps a core busy
      for (const path of await asPayer(context, buyer)) {
        await open(page, path);
        await check(page, path);
      }
    });

    test(`${colorScheme}: a call, from its errors to its answer`, async ({ page, wallet, xray }) => {
      test.slow(); // the same
      wallet.next('eth_sendTransaction', 'reject', 'hold');
      await xray.buy({ bytecode: '0x60806' });
      await expect(xray.bytecode).toHaveAttribute('aria-invalid', 'true');
      await check(page, 'field errors');
      await xray.lookAt({ bytecode: TOKEN });
      await xray.run.click();
      await expect(xray.main.getByText('Payment cancelled. Nothing was charged.').first()).toBeVisible();
      await check(page, 'a declined payment');
      await xray.main.getByRole('button', { name: /^(Try again|Run for 0\.0001 MON)$/ }).first().click();
      const question = await wallet.question('eth_sendTransaction');
      await expect(xray.quote).toBeVisible();
      await check(page, 'the quote');
      question.approve();
      await xray.done();
      await check(page, 'the answer');
    });
  });
}

test('the keyboard reaches everything, and shows where it is', async ({ page, wallet: _ }) => {
  await open(page, '/agents/contract-xray');
  const seen = new Set<string>();
  for (let n = 0; n < 60; n++) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body) return undefined;
      const { outlineStyle, outlineWidth } = getComputedStyle(at);
      const name = at.getAttribute('aria-label') ?? at.textContent?.trim().slice(0, 40) ?? '';
      return { what: `${at.tagName} ${name || at.id}`, seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
    });
    if (!focus) break;
    expect.soft(focus.seen, `${focus.what} shows its focus`).toBe(true);
    seen.add(focus.what);
  }
  expect([...seen].some((what) => what.includes('Run for'))).toBe(true);
});

test('less motion is asked for: nothing moves', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await open(page, '/');
  const moving = await page.evaluate(() => document.getAnimations().filter((animation) => animation.playState === 'running').length);
  expect(moving).toBe(0);
});

test.describe('a small phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('at 390 pixels nothing scrolls sideways', async ({ page, context, buyer }) => {
    for (const path of [...PUBLIC, ...(await asPayer(context, buyer))]) {
      await open(page, path);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect.soft(over, path).toBe(0);
    }
  });
});
