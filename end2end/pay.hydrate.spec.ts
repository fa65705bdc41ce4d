// From the price to the payment: ux.md, section B.

import type { Page } from '@playwright/test';
import { Buyer, freshAccount } from './support/buyer.mjs';
import { CHAIN_ID } from './support/chain.mjs';
import { TOKEN } from './support/contracts.ts';
import { GAS_PRICE } from './support/rpc.ts';
import { expect, open, test } from './support/test.ts';
import { AGENT, payment, PRICE_WEI, XrayPage } from './support/xray.ts';

test('B1 odd hex: said at the field, before any price and any wallet', async ({ wallet, xray }) => {
  await xray.buy({ bytecode: '0x60806' });
  await expect(xray.bytecode).toHaveAttribute('aria-invalid', 'true');
  await expect(xray.bytecode).toHaveAccessibleDescription(/\S/);
  expect(xray.statuses()).not.toContain(402);
  expect(wallet.windows).toEqual([]);

  // Mended, the same button works.
  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.click();
  await xray.done();
});

test('B1 an address that is none: 400 with its field, and no price', async ({ page }) => {
  const answer = await page.request.post(`/api/x402/${AGENT}`, { data: { address: '0x12' } });
  expect(answer.status()).toBe(400);
  expect(await answer.json()).toMatchObject({ code: 'invalid_input', fields: [{ field: 'address' }] });
  expect(answer.headers()).not.toHaveProperty('payment-required');
});

test('B2 price, fee, total, network, recipient and end are on the page before the wallet opens', async ({ market, wallet, xray }) => {
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');
  const term = (name: string) => xray.quote.locator('dt', { hasText: name }).locator('xpath=following-sibling::dd[1]');
  await expect(term('Price')).toContainText('0.0001 MON');
  await expect(term('Network fee (estimate)')).toContainText('0.0021 MON');
  await expect(term('Total')).toContainText('0.0022 MON');
  await expect(term('Network').last()).toContainText('Local chain');
  await expect(term('Recipient')).toContainText(market.payTo.slice(0, 6).toLowerCase());
  await expect(term('Offer holds until')).not.toBeEmpty();
  question.approve();
  await xray.done();
});

test('B3 a chain that the wallet does not know: 4902, added, paid', async ({ rpc, wallet, xray }) => {
  wallet.known.delete(CHAIN_ID);
  wallet.chainId = 1;
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  expect(wallet.asked('wallet_addEthereumChain')).toEqual([
    [
      expect.objectContaining({
        chainId: '0x7a69',
        chainName: 'Local chain',
        rpcUrls: [rpc.url('wallet')],
        nativeCurrency: { name: 'MON', symbol: 'MON', decimals: 18 },
      }),
    ],
  ]);
  expect(wallet.asked('eth_sendTransaction')).toMatchObject([[{ chainId: '0x7a69' }]]);
});

test('B3 4902 hidden in originalError is the same', async ({ wallet, xray }) => {
  wallet.chainId = 1;
  const hidden = { code: -32603, message: 'Internal JSON-RPC error.', data: { originalError: { code: 4902 } } };
  wallet.next('wallet_switchEthereumChain', { error: hidden });
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  expect(wallet.asked('wallet_addEthereumChain')).toHaveLength(1);
});

test('B3 switching is refused: nothing happened, and the offer stands', async ({ wallet, xray }) => {
  wallet.chainId = 1;
  wallet.next('wallet_switchEthereumChain', 'reject');
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Nothing was charged.');
  expect(wallet.asked('eth_sendTransaction')).toEqual([]);

  await xray.main.getByRole('button', { name: /^(Try again|Run for 0\.0001 MON)$/ }).first().click();
  await xray.done();
  expect(wallet.sent).toHaveLength(1);
});

test('B4 the transaction is a plain transfer of exactly the price', async ({ market, wallet, xray }) => {
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  const [[transaction]] = wallet.asked('eth_sendTransaction') as [[Record<string, string>]];
  expect({ ...transaction, from: transaction.from?.toLowerCase(), to: transaction.to?.toLowerCase() }).toEqual({
    from: wallet.address,
    to: market.payTo.toLowerCase(),
    value: '0x5af3107a4000',
    chainId: '0x7a69',
    gas: '0x5208',
  });
});

test('B5 too little for price and fee: said with the numbers before the wallet opens', async ({ chain, wallet, xray }) => {
  await chain.fund(wallet.address, PRICE_WEI + 21_000n * GAS_PRICE - 1n);
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('0.0022 MON');
  expect(wallet.asked('eth_sendTransaction')).toEqual([]);

  await chain.fund(wallet.address);
  await xray.main.getByRole('button', { name: /^(Try again|Run for 0\.0001 MON)$/ }).first().click();
  await xray.done();
});

test('B7 the payment is declined: nothing was charged, and the same offer is paid with the next click', async ({ chain, wallet, xray }) => {
  const before = await chain.balance(wallet.address);
  wallet.next('eth_sendTransaction', 'reject');
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.main.getByText('Payment cancelled. Nothing was charged.').first()).toBeVisible();
  expect(await chain.balance(wallet.address)).toBe(before);
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(1);
  const offers = xray.statuses().filter((status) => status === 402).length;

  await xray.main.getByRole('button', { name: /^(Try again|Run for 0\.0001 MON)$/ }).first().click();
  await xray.done();
  expect(xray.statuses().filter((status) => status === 402)).toHaveLength(offers);
});

test('B8 another error of the wallet: a sentence, its own words under Details', async ({ wallet, xray }) => {
  wallet.next('eth_sendTransaction', { error: { code: -32000, message: 'replacement fee <i>too low</i>' } });
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Your wallet answered with an error.');
  await expect(xray.main.getByText('replacement fee <i>too low</i>')).toBeHidden();
  await xray.failure.getByText('Details', { exact: true }).click();
  await expect(xray.main.getByText('replacement fee <i>too low</i>')).toBeVisible();
});

test('B9 a double click and Enter twice are one payment and one run', async ({ buyer, wallet, xray }) => {
  await xray.open();
  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.evaluate((button: HTMLButtonElement) => {
    button.click();
    button.click();
    button.form?.requestSubmit();
    button.form?.requestSubmit();
  });
  await xray.done();
  expect(wallet.sent).toHaveLength(1);
  expect(await buyer.credit()).toEqual([]);
});

test('B9 two tabs ask one after the other: never two questions at once', async ({ context, wallet, xray }) => {
  const other = new XrayPage(await context.newPage());
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');

  await other.buy({ bytecode: TOKEN });
  // Whatever the second tab does, it has to be asking or waiting by now.
  await expect(other.status).not.toBeEmpty();
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(1);

  question.approve();
  await xray.done();
});

/** Answers the first calls without a payment with what `change` makes of their offers. */
async function offering(page: Page, times: number, change: (offer: { amount: string; extra: Record<string, unknown> }) => void) {
  await page.route(
    `**/api/x402/${AGENT}`,
    async (route) => {
      const answer = await route.fetch();
      const required = JSON.parse(Buffer.from(answer.headers()['payment-required'] ?? '', 'base64').toString());
      required.accepts.forEach(change);
      const headers = { ...answer.headers(), 'payment-required': Buffer.from(JSON.stringify(required)).toString('base64') };
      await route.fulfill({ response: answer, headers });
    },
    { times },
  );
}

test('B10 the price has changed since the page was rendered: both are said, and nothing is paid without a click', async ({ page, wallet, xray }) => {
  await offering(page, 1, (offer) => (offer.amount = String(2n * PRICE_WEI)));
  await xray.buy({ bytecode: TOKEN });
  const question = xray.main.getByRole('group', { name: 'The price has changed' });
  await expect(question.getByRole('button', { name: 'Pay 0.0002 MON' })).toBeVisible();
  await expect(xray.status).toContainText('0.0001 MON');
  await expect(xray.status).toContainText('0.0002 MON');
  expect(wallet.asked('eth_sendTransaction')).toEqual([]);

  await question.getByRole('button', { name: 'Not now' }).click();
  await expect(question).toHaveCount(0);
  await xray.run.click();
  await xray.done();
  expect(payment(xray.paid()[0]!).accepted.amount).toBe(String(PRICE_WEI));
});

test('B11 an offer that is about to end is renewed before the wallet opens, and nobody is asked', async ({ page, wallet, xray }) => {
  await offering(page, 1, (offer) => (offer.extra.expiresAtMs = Date.now() + 1_000));
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  expect(xray.statuses().filter((status) => status === 402)).toHaveLength(2);
  expect(wallet.windows).toEqual(['eth_requestAccounts', 'personal_sign', 'eth_sendTransaction']);
});

test('B12 the retry repeats method, body and headers exactly', async ({ page, xray, wallet }) => {
  await xray.open();
  const status = await page.evaluate(async (bytecode) => {
    const { x402Fetch } = window as unknown as { x402Fetch: typeof fetch };
    const answer = await x402Fetch('/api/x402/contract-xray', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Request-Tag': 'seven' },
      body: `{ "bytecode" :\t"${bytecode}" }`,
    });
    return answer.status;
  }, TOKEN);
  expect(status).toBe(200);
  expect(wallet.sent).toHaveLength(1);
  for (const retry of xray.paid()) {
    expect(retry.method()).toBe('POST');
    expect(retry.postData()).toBe(`{ "bytecode" :\t"${TOKEN}" }`);
    expect(retry.headers()).toMatchObject({ 'content-type': 'application/json', 'x-request-tag': 'seven' });
    expect(retry.headers()['payment-signature']).toBe(retry.headers()['x-payment']);
  }
});

test('M3 x402Fetch sends what fetch takes as a body, and pays for nothing that is no call', async ({ page, guard, wallet, xray }) => {
  guard.allow(/status of 4(00|02|05|13|15)/);
  await xray.open();
  const ask = (kind: string) =>
    page.evaluate(
      async ([kind, bytecode]) => {
        const { x402Fetch } = window as unknown as { x402Fetch: typeof fetch };
        const json = JSON.stringify({ bytecode });
        const url = '/api/x402/contract-xray';
        const headers = { 'Content-Type': 'application/json' };
        const form = new FormData();
        form.set('bytecode', bytecode!);
        const inits: Record<string, RequestInit | undefined> = {
          nothing: undefined,
          get: { headers },
          head: { method: 'HEAD', headers },
          put: { method: 'PUT', headers, body: json },
          'no body': { method: 'POST', headers },
          'an empty blob': { method: 'POST', headers, body: new Blob([]) },
          form: { method: 'POST', body: form },
          parameters: { method: 'POST', headers, body: new URLSearchParams({ bytecode: bytecode! }) },
          object: { method: 'POST', headers, body: { bytecode } as unknown as string },
          'bytes of no type': { method: 'POST', body: new TextEncoder().encode(json) },
          blob: { method: 'POST', body: new Blob([` ${json}`], { type: 'application/json' }) },
          bytes: { method: 'POST', headers, body: new TextEncoder().encode(`  ${json}`) },
        };
        const answer =
          kind === 'request' ? await x402Fetch(new Request(url, { method: 'post', headers, body: `   ${json}` })) : await x402Fetch(url, inits[kind!]);
        return answer.status;
      },
      [kind, TOKEN],
    );
  for (const [kind, status] of Object.entries({
    nothing: 402,
    get: 402,
    head: 402,
    put: 405,
    'no body': 402,
    'an empty blob': 402,
    form: 415,
    parameters: 400,
    object: 400,
    'bytes of no type': 415,
  }))
    expect([kind, await ask(kind)]).toEqual([kind, status]);
  expect(wallet.windows).toEqual([]);
  expect(xray.paid()).toEqual([]);

  const spaces = ['blob', 'bytes', 'request'];
  for (const [at, kind] of spaces.entries()) {
    expect([kind, await ask(kind)]).toEqual([kind, 200]);
    expect(wallet.sent).toHaveLength(at + 1);
    expect(xray.paid().at(-1)!.postData()).toBe(`${' '.repeat(at + 1)}${JSON.stringify({ bytecode: TOKEN })}`);
  }
});

test('B13 the server watches before the wallet opens, and the proof is kept before it is sent', async ({ page, guard, wallet, xray }) => {
  guard.allow(/net::ERR_FAILED/);
  const order: string[] = [];
  page.on('response', (answer) => answer.url().endsWith('/api/watch') && order.push(`watch ${answer.status()}`));
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');
  expect(order[0]).toMatch(/^watch 20\d$/);

  // What is kept must name the payment while the server has not yet taken it.
  await page.route(`**/api/x402/${AGENT}`, (route) => ('x-payment' in route.request().headers() ? route.abort() : route.continue()));
  question.approve();
  await expect.poll(() => wallet.sent).toHaveLength(1);
  await expect.poll(() => page.evaluate(() => JSON.stringify({ ...localStorage }))).toContain(wallet.sent[0]);
  await page.unroute(`**/api/x402/${AGENT}`);
  await xray.done();
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage })), 'and forgotten when it is done').not.toContain(wallet.sent[0]);
});

test('B14 a browser that remembers nothing: the hash is to be kept, and can be copied', async ({ page, context, chain, wallet, xray }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.main.getByText("Keep the transaction's hash until the answer is here.")).toBeVisible();
  await xray.main.getByRole('button', { name: /^Copy (transaction )?hash$/ }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(wallet.sent[0]);
  chain.resume();
  await xray.done();
});

test('B15 the account is switched between offer and payment: blocked', async ({ chain, wallet, xray }) => {
  const other = freshAccount();
  await chain.fund(other.address);
  wallet.chainId = 1;
  wallet.next('wallet_switchEthereumChain', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('wallet_switchEthereumChain');
  await wallet.select(other);
  question.approve();
  await expect(xray.main.getByText('Your wallet switched to another account. Nothing was charged.').first()).toBeVisible();
  expect(wallet.asked('eth_sendTransaction')).toEqual([]);
});

test('B15 another account pays all the same: refused, and it stays the credit of the one who paid', async ({ chain, shop, wallet, xray }) => {
  const payer = freshAccount();
  await chain.fund(payer.address);
  wallet.next('eth_sendTransaction', { payFrom: payer });
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Another wallet sent this payment. It stays the credit of the wallet that paid.');
  expect(xray.statuses()).toContain(403);

  const theirs = await new Buyer(shop.url, chain.url, payer).signIn();
  expect(await theirs.credit()).toMatchObject([{ amount: String(PRICE_WEI) }]);
});

test('B18 credit covers the price: one click, no wallet window, and what is left is shown', async ({ page, buyer, wallet, xray }) => {
  const { answer } = await buyer.buy(AGENT, { bytecode: '0x6001600155' }, 3n * PRICE_WEI);
  expect(answer.status).toBe(200);

  await open(page, '/');
  await page.getByRole('banner').getByRole('button', { name: /^Connect/ }).click();
  await expect(page.getByRole('banner').getByText('0x').first()).toBeVisible();
  const windows = wallet.windows.length;
  await xray.open();
  await xray.lookAt({ bytecode: TOKEN });
  await xray.payFromCredit.click();
  await xray.done();

  expect(wallet.windows).toHaveLength(windows);
  expect(payment(xray.paid()[0]!).payload.credit).toMatch(/^[0-9a-f-]{36}$/);
  await expect(xray.main.getByText('Paid from your credit. 0.0001 MON of credit is left.')).toBeVisible();
  expect(await buyer.credit()).toMatchObject([{ amount: String(PRICE_WEI) }]);
});

test('B18 nothing but that click spends credit: the run button pays from the wallet', async ({ buyer, wallet, xray }) => {
  await buyer.buy(AGENT, { bytecode: '0x6001600155' }, 3n * PRICE_WEI);
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  expect(wallet.sent).toHaveLength(1);
  expect(await buyer.credit()).toMatchObject([{ amount: String(2n * PRICE_WEI) }]);
});
