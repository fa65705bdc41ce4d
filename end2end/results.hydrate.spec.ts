// The answer, and what happens when there is none: ux.md, section D.

import { readFile } from 'node:fs/promises';
import { ON_SALE, runExample } from './support/agents.ts';
import { TOKEN } from './support/contracts.ts';
import { freshAccount } from './support/buyer.mjs';
import { expect, open, test } from './support/test.ts';
import { AGENT, payment } from './support/xray.ts';

/** A contract of this test alone: the shop caches what it read. */
async function deployed(chain: { setCode(address: string, code: string): Promise<void> }) {
  const { address } = freshAccount();
  await chain.setCode(address, TOKEN);
  return address.toLowerCase();
}

test('D2 the agent fails: not charged, and trying again costs nothing and opens no wallet', async ({ chain, guard, rpc, wallet, xray, buyer }) => {
  guard.allow(/status of 50[03]/);
  const address = await deployed(chain);
  await xray.open();
  await xray.lookAt({ address });
  // The free check has seen the code; from the payment on, the node keeps it to itself.
  wallet.next('eth_sendTransaction', 'hold');
  await xray.run.click();
  const question = await wallet.question('eth_sendTransaction');
  const broken = { error: { code: -32000, message: 'state is not available' } };
  rpc.fault(({ method, params }, side) =>
    side === 'shop' && method === 'eth_getCode' && String(params?.[0]).toLowerCase() === address ? broken : undefined,
  );
  question.approve();

  await expect(xray.failure).toContainText('You were not charged');
  await expect(xray.failure).toContainText('0.0001 MON');
  expect(await buyer.credit()).toMatchObject([{ amount: '100000000000000' }]);

  rpc.clear();
  const windows = wallet.windows.length;
  await xray.tryAgain.click();
  await xray.done();
  expect(wallet.windows).toHaveLength(windows);
  expect(await buyer.credit()).toEqual([]);
});

test('D4 the answer has its engine, cost, transaction, permalink, copy and download', async ({ page, context, market, wallet, xray }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  await expect(xray.main.getByText(/computed/i).first()).toBeVisible();
  await expect(xray.main.getByText(wallet.sent[0]!.slice(0, 8)).first()).toBeVisible();
  const permalink = await xray.answer.getByRole('link', { name: 'This answer' }).getAttribute('href');
  const answer = await (await page.request.get(`/api${permalink}`)).json();

  await xray.main.getByRole('button', { name: /Copy.*JSON/ }).click();
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  expect(copied).toEqual(answer.output);

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    xray.main.getByRole('button', { name: /Download.*JSON/ }).or(xray.main.getByRole('link', { name: /Download.*JSON/ })).click(),
  ]);
  expect(JSON.parse(await readFile(await download.path(), 'utf8'))).toEqual(answer.output);

  await open(page, permalink!);
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();
  await page.getByRole('link', { name: /receipt/i }).first().click();
  const receipt = page.getByRole('main');
  await expect(receipt.getByText(wallet.sent[0]!)).toBeVisible();
  await expect(receipt.getByText(new RegExp(market.payTo, 'i'))).toBeVisible();
  await receipt.getByRole('button', { name: 'Copy transaction hash' }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(wallet.sent[0]);
  for (const what of ['payer’s address', 'payee’s address', 'run’s id', 'input’s hash', 'answer’s hash']) {
    await expect(receipt.getByRole('button', { name: `Copy the ${what}` })).toBeVisible();
  }
});

test('D4 hostile text in an answer stays text', async ({ page, wallet: _ }) => {
  // An agent that quotes what it was given, on the page of the call and on the run's own.
  const hostile = 'Pay <img src=x onerror="window.owned=1"><script>window.owned=1</script> by 1 March 2027.';
  const input = encodeURIComponent(JSON.stringify({ text: `${hostile} A second sentence follows it.`, sentences: 3 }));
  await open(page, `/agents/document-brief?input=${input}`);
  const main = page.getByRole('main');
  await main.getByRole('button', { name: /^Run for / }).click();
  await expect(main.locator('[role=status].phase')).toHaveText('Done.', { timeout: 20_000 });
  const answer = page.getByRole('region', { name: 'Answer', exact: true });
  const holds = async () => {
    await expect(answer.locator('.written').getByText('window.owned=1').first()).toBeVisible();
    expect(await page.evaluate(() => (window as unknown as { owned?: number }).owned)).toBeUndefined();
    await expect(answer.locator('img, script')).toHaveCount(0);
  };
  await holds();
  await open(page, (await answer.getByRole('link', { name: 'This answer' }).getAttribute('href'))!);
  await holds();
});

test('D4 what is bought is shown even where its report cannot be written', async ({ guard, page, xray, wallet: _ }) => {
  guard.allow(/net::ERR_FAILED/);
  await page.route('**/api/page/report?*', (route) => route.abort());
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  await expect(xray.answer.locator('pre.json:visible').first()).toContainText('setBlacklisted');
});

test.describe('a report comes alive', () => {
  test.use({ timezoneId: 'Asia/Tokyo' });

  test('its buttons copy and its times are the visitor’s own, on the page of the call and on the run’s own', async ({ page, context, wallet: _ }) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await open(page, '/agents/wallet-report');
    await runExample(page, ON_SALE.find(({ slug }) => slug === 'wallet-report')!);
    const answer = page.getByRole('region', { name: 'Answer', exact: true });
    const lives = async () => {
      const report = answer.locator('.written');
      const time = report.locator('time').first();
      const shown = new Date((await time.getAttribute('datetime'))!);
      const hour = new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Tokyo', hour: '2-digit', minute: '2-digit', hour12: false }).format(shown);
      await expect(time).toHaveText(new RegExp(`, ${hour}$`));
      const fact = report.locator('.exact').first();
      await fact.getByRole('button', { name: 'Copy' }).click();
      await expect(fact.getByText('Copied')).toBeVisible();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await fact.locator('code').textContent());
    };
    await lives();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await open(page, (await answer.getByRole('link', { name: 'This answer' }).getAttribute('href'))!);
    await lives();
    await expect(page.getByRole('banner').getByText(/^0x/).first(), 'the wallet is known by now').toBeVisible();
    expect(asked, 'it came with its page, and stays').not.toContain('/api/page/report');
  });
});

test('D7 no code at the address: told before paying', async ({ wallet, xray }) => {
  await xray.buy({ address: freshAccount().address.toLowerCase() });
  // The click is answered at the field, whether or not the hint below it was faster.
  await expect(xray.main.getByRole('alert').filter({ hasText: /no code at this address/i })).toBeVisible();
  expect(wallet.asked('eth_sendTransaction')).toEqual([]);
});

test('D7 an input that is too long is refused before its price', async ({ page }) => {
  const answer = await page.request.post(`/api/x402/${AGENT}`, { data: { bytecode: `0x${'00'.repeat(300_000)}` } });
  expect([400, 413]).toContain(answer.status());
  expect(answer.headers()).not.toHaveProperty('payment-required');
});

test('D8 the same paid call again: the same bytes, and said so', async ({ page, shop, xray, wallet }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  const paid = xray.paid().at(-1)!;
  const first = await xray.answers.findLast((answer) => answer.status() === 200)!.body();

  const again = await page.request.post(paid.url(), {
    data: paid.postDataBuffer()!,
    headers: { 'content-type': 'application/json', origin: shop.url, 'x-payment': paid.headers()['x-payment']! },
  });
  expect(again.status()).toBe(200);
  expect(again.headers()['x-idempotent-replay']).toBe('true');
  expect(await again.body()).toEqual(first);

  // A bare hash is the workflow's own header; the session says whose it is.
  const bare = await page.request.post(paid.url(), {
    data: paid.postDataBuffer()!,
    headers: { 'content-type': 'application/json', origin: shop.url, 'x-payment': payment(paid).payload.transaction! },
  });
  expect(await bare.body()).toEqual(first);
  expect(wallet.sent).toHaveLength(1);
});

test('D8 the same payment for another input is refused', async ({ page, shop, xray, wallet: _ }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  const paid = xray.paid().at(-1)!;
  const other = await page.request.post(paid.url(), {
    data: { bytecode: '0x6001600155' },
    headers: { origin: shop.url, 'x-payment': paid.headers()['x-payment']! },
  });
  expect(other.status()).toBe(409);
  expect(await other.json()).toMatchObject({ code: 'payment_already_used' });
});
