// Several calls at once: a watch for each, a card for each, and none in the way of another.

import { TOKEN } from './support/contracts.ts';
import { expect, hydrated, open, test } from './support/test.ts';
import { XrayPage } from './support/xray.ts';

const SENT = 'Sent. Waiting for the network to include it.';
const OTHER = '0x6001600155';
const STILL_ASKING = 'Your wallet may still be asking about a payment.';

test('P8 two questions are open when their pages are gone: both are found, and each run is one click away', async ({ page, wallet, xray, buyer }) => {
  wallet.next('eth_sendTransaction', 'hold', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const first = await wallet.question('eth_sendTransaction');
  await page.reload();
  await hydrated(page);
  await xray.lookAt({ bytecode: OTHER });
  await xray.run.click();
  // The wallet shows its questions one after the other; both were asked.
  await expect.poll(() => wallet.asked('eth_sendTransaction').length).toBe(2);
  await page.reload();
  await hydrated(page);
  await expect(xray.underWay.filter({ hasText: STILL_ASKING })).toHaveCount(2);

  first.approve();
  await expect(xray.arrived).toHaveCount(1, { timeout: 20_000 });
  await expect(xray.underWay.filter({ hasText: STILL_ASKING }), 'the other one is still open').toHaveCount(1);
  (await wallet.question('eth_sendTransaction')).approve();
  await expect(xray.arrived).toHaveCount(2, { timeout: 20_000 });
  await expect(xray.underWay.filter({ hasText: STILL_ASKING })).toHaveCount(0);

  for (const inputs of [1, 2]) {
    await xray.arrived.first().getByRole('button', { name: 'Run Contract X-ray from your credit' }).click();
    await expect(xray.underWay.getByRole('link', { name: 'Open the answer' })).toHaveCount(inputs);
  }
  expect(await buyer.credit()).toEqual([]);
  expect(wallet.sent).toHaveLength(2);
});

test('P8 two tabs ask about two calls: neither waits for the other, and both are answered', async ({ context, wallet, xray, buyer }) => {
  const other = new XrayPage(await context.newPage());
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');
  await other.buy({ bytecode: OTHER });
  await expect(other.status).toHaveText('Confirm 0.0001 MON in your wallet.');
  question.approve();
  await xray.done();
  await other.done();
  expect(wallet.sent).toHaveLength(2);
  expect(await buyer.credit()).toEqual([]);
});

test('P8 "Not now" puts one arrival away, and leaves the other', async ({ page, wallet, xray }) => {
  for (const bytecode of [TOKEN, OTHER]) {
    wallet.next('eth_sendTransaction', 'hold');
    await xray.buy({ bytecode });
    const question = await wallet.question('eth_sendTransaction');
    await page.goto('about:blank');
    question.approve();
    await expect.poll(() => wallet.sent.length).toBe(bytecode === TOKEN ? 1 : 2);
  }
  await open(page, '/');
  await expect(xray.arrived).toHaveCount(2, { timeout: 20_000 });
  await xray.arrived.first().getByRole('button', { name: 'Not now' }).click();
  await expect(xray.arrived).toHaveCount(1);
  await page.reload();
  await hydrated(page);
  await expect(xray.arrived).toHaveCount(1);
  await expect(xray.underWay).toHaveCount(1);
});

test('P8 a payment that was booked and put away on another device: no card claims that the wallet may still be asking', async ({ page, wallet, xray, buyer }) => {
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');
  await page.goto('about:blank');
  question.approve();
  await expect.poll(() => buyer.session('arrived'), { timeout: 20_000 }).toHaveLength(1);
  expect((await buyer.ask('/api/watch', { method: 'DELETE' })).status).toBe(204);

  await open(page, '/');
  // What this browser remembers of the question goes as soon as the session has told that it is answered.
  await expect.poll(() => page.evaluate(() => JSON.stringify({ ...localStorage }))).not.toContain(TOKEN.slice(0, 40));
  await expect(xray.underWay).toHaveCount(0);
});

test('P8 "Done." goes away when the answer was opened', async ({ page, chain, xray, wallet: _ }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await page.getByRole('banner').getByRole('link', { name: 'Coinslot' }).first().click();
  await expect(xray.underWay).toContainText(SENT);
  chain.resume();
  await expect(xray.underWay).toContainText('Done.');
  await xray.underWay.getByRole('link', { name: 'Open the answer' }).click();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();
  await expect(xray.underWay).toHaveCount(0);
  await page.goBack();
  await expect(page).toHaveURL(/\/$/);
  await expect(xray.underWay).toHaveCount(0);
});

test('P8 an answer that was seen on its own page has no card elsewhere', async ({ page, xray, wallet: _ }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();
  await page.getByRole('banner').getByRole('link', { name: 'Coinslot' }).first().click();
  await expect(page).toHaveURL(/\/$/);
  await expect(xray.underWay).toHaveCount(0);
});

test('P8 a payment that hangs blocks neither its form nor another run', async ({ chain, rpc, wallet, xray, buyer }) => {
  // The first payment is never included, as far as anybody tells.
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  const hung = wallet.sent[0]!;
  const raw = await chain.rpc('eth_getRawTransactionByHash', hung);
  await chain.rpc('anvil_dropTransaction', hung);
  expect(rpc.calls.length).toBeGreaterThan(0);

  // The same call again is no second one.
  await expect(xray.run).toBeEnabled();
  await xray.run.click();
  await expect(xray.main.getByText(/This very call is under way/)).toBeVisible();
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(1);

  // Another one is; what hangs has a card of its own. Paid from what was credit all along, since the first payment's number is free again.
  await xray.lookAt({ bytecode: OTHER });
  wallet.next('eth_sendTransaction', 'reject');
  await xray.run.click();
  await expect(xray.failure).toContainText('Payment cancelled. Nothing was charged.');
  await expect(xray.underWay.filter({ hasText: SENT })).toHaveCount(1);
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(2);

  await chain.rpc('eth_sendRawTransaction', raw);
  chain.resume();
  await xray.run.click();
  await xray.done();
  await expect(xray.underWay.filter({ hasText: 'Done.' })).toHaveCount(1, { timeout: 15_000 });
  expect(wallet.sent).toHaveLength(2);
  expect(await buyer.credit()).toEqual([]);
});

test('P8 what was typed survives a reload and the way back', async ({ page, xray, wallet: _ }) => {
  await xray.open();
  await xray.lookAt({ bytecode: OTHER });
  await page.reload();
  await hydrated(page);
  await expect(xray.bytecode).toBeVisible();
  await expect(xray.bytecode).toHaveValue(OTHER);

  // In the page, and from outside of it.
  await page.getByRole('banner').getByRole('link', { name: 'Coinslot' }).first().click();
  await expect(page).toHaveURL(/\/$/);
  await page.goBack();
  await expect(xray.bytecode).toHaveValue(OTHER);
  await page.goto('about:blank');
  await page.goBack();
  await hydrated(page);
  await expect(xray.bytecode).toHaveValue(OTHER);

  // Of this agent, and in this tab only.
  await open(page, '/agents/tx-explainer');
  expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual(['coinslot.draft.contract-xray']);
  const tab = new XrayPage(await page.context().newPage());
  await tab.open();
  expect(await tab.page.evaluate(() => Object.keys(sessionStorage))).toEqual([]);
  // A new form asks for an address; the field for code is not shown before it is chosen.
  await expect(tab.address).toHaveValue('');
  await expect(tab.bytecode).toBeHidden();
  await tab.main.getByText('Its bytecode', { exact: true }).click();
  await expect(tab.bytecode).toHaveValue('');
});
