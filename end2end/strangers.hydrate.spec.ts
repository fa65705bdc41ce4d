// A page that others write into too: translated, and with extensions' nodes in it.

import { TOKEN } from './support/contracts.ts';
import { expect, hydrated, open, test } from './support/test.ts';
import { extend, translate, type Moment, type Translation } from './support/strangers.ts';
import { XrayPage } from './support/xray.ts';

test.use({ sellsForDollars: true });

for (const how of ['replaced', 'moved', 'kept up'] as Translation[]) {
  test(`P6 a translated page (${how}) still changes its button, price, stage and error`, async ({ page, wallet, xray }) => {
    // What is kept up is in brackets again a moment later.
    const run = (price: string) => xray.main.getByRole('button', { name: new RegExp(`^\\[?Run for ${price.replace('.', '\\.')}\\]?$`) });
    await xray.open();
    await xray.lookAt({ bytecode: '0x6080' });
    await translate(page, how);
    await expect(run('0.0001 MON')).toBeVisible();

    await test.step('button and price', async () => {
      await xray.inDollars.check();
      await expect(run('0.001 USDC')).toBeVisible();
      await expect(xray.quote).toContainText(/0\.001[\]\s]*\[?USDC/);
      await expect(xray.quote).toContainText('none: the shop sends it');
      await expect(xray.quote).not.toContainText('0.0021');
      await xray.inCoin.check();
      await expect(run('0.0001 MON')).toBeVisible();
      await expect(xray.quote).toContainText('0.0021');
      await expect(xray.quote).not.toContainText('USDC');
    });

    await test.step('error', async () => {
      wallet.next('eth_requestAccounts', 'reject');
      await run('0.0001 MON').click();
      await expect(xray.failure).toContainText('Connection cancelled.');
      await xray.bytecode.fill('0x608');
      await run('0.0001 MON').click();
      await expect(xray.bytecode).toHaveAccessibleDescription(/hex|digits|odd/i);
      await expect(xray.failure).not.toContainText('Connection cancelled.');
    });

    await test.step('stage and answer', async () => {
      await xray.bytecode.fill(TOKEN);
      wallet.next('eth_sendTransaction', 'hold');
      await run('0.0001 MON').click();
      const question = await wallet.question('eth_sendTransaction');
      await expect(xray.status).toContainText('Confirm 0.0001 MON in your wallet.');
      question.approve();
      await expect(xray.status).toHaveText(/^\[?Done\.\]?$/);
      await expect(xray.main.locator('ol.stages [aria-current]')).toContainText('Done');
      await expect(xray.main.locator('ol.stages li')).toHaveCount(6);
      await expect(xray.answer).toContainText('setBlacklisted');
    });

    await test.step('who is here, and another page', async () => {
      await expect(page.getByRole('banner').locator('summary')).toContainText('0x');
      await page.getByRole('banner').locator('summary').click();
      await page.getByRole('button', { name: /Sign out/ }).click();
      await expect(page.getByRole('banner').getByRole('button', { name: /Connect wallet/ })).toBeVisible();
      await page.getByRole('banner').getByRole('link', { name: /Credit/ }).click();
      await expect(page.getByRole('heading', { level: 1 })).toContainText('Credit');
      await expect(page.getByRole('main')).toContainText('Signing in is a signature.');
    });
  });
}

test('P6 a page that is shown as it was written again keeps its words', async ({ page, xray }) => {
  await xray.open();
  // The page has looked for a wallet, and says no more by itself.
  await expect(xray.main.getByText('No wallet was found in this browser.')).toBeVisible();
  const words = await xray.main.innerText();
  await page.evaluate(() => {
    const back: [Element, Text][] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts: Text[] = [];
    while (walker.nextNode()) texts.push(walker.currentNode as Text);
    for (const text of texts.filter((text) => text.data.trim())) {
      const font = document.createElement('font');
      font.textContent = 'anders';
      text.replaceWith(font);
      back.push([font, text]);
    }
    setTimeout(() => {
      back.forEach(([font, text]) => font.replaceWith(text));
      document.documentElement.dataset.back = 'yes';
    });
  });
  await expect(page.locator('html[data-back]')).toHaveCount(1);
  await expect.poll(() => xray.main.innerText()).toBe(words);
});

test('P6 a page that was translated before it came to life does', async ({ page, wallet: _, xray }) => {
  await page.addInitScript(() => {
    document.addEventListener('DOMContentLoaded', () => {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const texts: Text[] = [];
      while (walker.nextNode()) texts.push(walker.currentNode as Text);
      for (const text of texts.filter((text) => text.data.trim() && !text.parentElement?.closest('script'))) {
        const font = document.createElement('font');
        font.textContent = `[${text.data}]`;
        text.replaceWith(font);
      }
    });
  });
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
});

for (const moment of ['as the parser goes', 'when it was parsed', 'while the program loads'] as Moment[]) {
  test(`P6 extensions' nodes that come ${moment} do not kill the page, and stay`, async ({ page, wallet, xray }) => {
    const drawn: string[] = [];
    page.on('console', (message) => message.type() === 'warning' && drawn.push(message.text()));
    await extend(page, moment);
    for (const path of ['/', '/history', '/agents/document-brief']) await open(page, path);
    await xray.open();
    await expect(page.locator('body > .stranger')).toHaveCount(1);
    await expect(xray.main.locator('form .stranger').first()).toBeAttached();
    await xray.lookAt({ bytecode: TOKEN });
    await xray.run.click();
    await xray.done();
    expect(wallet.sent).toHaveLength(1);
    await page.getByRole('banner').getByRole('link', { name: 'History' }).click();
    await expect(page.getByRole('row', { name: /Contract X-ray/ }).first()).toBeVisible();
    expect(drawn, 'it was taken over as the server sent it').toEqual([]);
  });
}

test('P6 where nothing else helps, the page is drawn anew, once', async ({ page, wallet, xray }) => {
  await page.addInitScript(() => {
    // Nobody writes down what is done here.
    Object.assign(window, { MutationObserver: class { observe() {} takeRecords() { return []; } disconnect() {} } });
    document.addEventListener('DOMContentLoaded', () => {
      document.body.prepend(document.createElement('div'));
      document.querySelector('main')?.prepend(document.createElement('div'));
    });
  });
  await page.goto('/agents/contract-xray');
  await hydrated(page);
  await expect(xray.run).toBeEnabled();
  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.click();
  await xray.done();
  expect(wallet.windows).toEqual(['eth_requestAccounts', 'personal_sign', 'eth_sendTransaction']);
  await page.getByRole('banner').getByRole('link', { name: 'History' }).click();
  await expect(new XrayPage(page).main.getByRole('row', { name: /Contract X-ray/ })).toHaveCount(1);
});
