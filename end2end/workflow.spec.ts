// The workflow's seven testing steps, one by one, and its own snippet. First of all specs: the rest stands on it.

import { TOKEN } from './support/contracts.ts';
import { DASHBOARD, SNIPPET } from './support/snippet.ts';
import { expect, hydrated, open, test } from './support/test.ts';
import { AGENT, payment, PRICE_WEI } from './support/xray.ts';

test('the seven steps: restart, navigate, run, 402, approve, retry, results', async ({ page, shop, wallet, xray }) => {
  const console: string[] = [];
  page.on('console', (message) => console.push(message.text()));
  wallet.next('eth_sendTransaction', 'hold');

  await test.step('1. Restart the server', async () => {
    await shop.restart();
    expect(await (await page.request.get('/readyz')).json()).toBeTruthy();
  });

  await test.step('2. Navigate to your agent in the dashboard', async () => {
    await open(page, '/');
    await page.getByRole('link', { name: /Contract X-ray/ }).first().click();
    await expect(page).toHaveURL(`/agents/${AGENT}`);
    await hydrated(page);
  });

  await test.step('3. Click execute button', async () => {
    await xray.lookAt({ bytecode: TOKEN });
    await xray.run.click();
  });

  await test.step('4. Watch for 402 response in browser console', async () => {
    await expect.poll(() => console).toContainEqual(expect.stringContaining('the server responded with a status of 402'));
    const required = xray.answers.find((answer) => answer.status() === 402);
    expect(await required?.allHeaders()).toMatchObject({ 'x-price-amount': '0.0001', 'x-price-currency': 'MON', 'x-evm-chain-id': '31337' });
  });

  await test.step('5. Approve MetaMask transaction', async () => {
    const question = await wallet.question('eth_sendTransaction');
    expect(question.params).toMatchObject([{ value: `0x${PRICE_WEI.toString(16)}` }]);
    question.approve();
  });

  await test.step('6. Verify retry with x-payment header', async () => {
    await expect.poll(() => xray.paid().length).toBeGreaterThan(0);
    const retry = xray.paid()[0]!;
    expect(payment(retry).payload.transaction).toBe(wallet.sent[0]);
    expect(retry.postData()).toBe(xray.calls[0]!.postData());
  });

  await test.step('7. Check results', async () => {
    await xray.done();
    await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();
    await expect(xray.answer.getByRole('link', { name: 'Receipt' })).toBeVisible();
  });
});

test("the workflow's own snippet runs against window.x402Fetch", async ({ page, wallet, xray }) => {
  await xray.open();
  await page.evaluate(`${DASHBOARD}${SNIPPET} Object.assign(window, { runMyAgent, said })`);
  await page.locator('#myInput').fill(TOKEN);

  await page.evaluate('runMyAgent()');

  const said = (await page.evaluate('said')) as [string, ...unknown[]][];
  expect(said.map(([name]) => name)).toEqual(['setLoading', 'updateLoadingText', 'showResults', 'setLoading']);
  expect(JSON.stringify(said)).toContain('setBlacklisted');
  expect(wallet.sent).toHaveLength(1);
  // What the snippet asked is what was paid for: path, method, headers, body.
  const [first, retry] = [xray.calls[0]!, xray.paid()[0]!];
  expect(retry.url()).toBe(first.url());
  expect(retry.method()).toBe('POST');
  expect(retry.postData()).toBe(first.postData());
  expect(retry.headers()).toMatchObject({ 'content-type': 'application/json', 'x-csrftoken': first.headers()['x-csrftoken'] });
});
