// Between the wallet and the answer, where anything may go away: ux.md, section C.

import { freshAccount } from './support/buyer.mjs';
import { BLOCKS_TO_FINALITY } from './support/chain.mjs';
import { TOKEN } from './support/contracts.ts';
import { Rpc } from './support/rpc.ts';
import { freePort, settings, Shop } from './support/shop.mjs';
import { expect, hydrated, open, test } from './support/test.ts';
import { AGENT, XrayPage } from './support/xray.ts';

const SENT = 'Sent. Waiting for the network to include it.';

test('C1 each stage is said when it happens, in order, on one status line', async ({ chain, wallet, xray }) => {
  chain.pause();
  wallet.next('eth_sendTransaction', 'hold');
  await xray.open();
  const said = await xray.follow();
  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.click();
  const question = await wallet.question('eth_sendTransaction');
  await expect(xray.status).toHaveText('Confirm 0.0001 MON in your wallet.');

  question.approve();
  await expect(xray.status).toHaveText(SENT);
  await expect(xray.main.getByText(wallet.sent[0]!.slice(0, 8)).first()).toBeVisible();

  await chain.mine();
  await expect(xray.status).toHaveText('Included in a block. Waiting until it is final.');

  await chain.mine(BLOCKS_TO_FINALITY);
  await xray.done();
  const stages = await said();
  const order = ['Confirm 0.0001 MON in your wallet.', SENT, 'Included in a block. Waiting until it is final.', 'Done.'];
  expect(stages.filter((stage) => order.includes(stage))).toEqual(order);
});

test('C2 a payment that the network does not show yet is sent, and never failed', async ({ chain, rpc, xray, wallet: _ }) => {
  rpc.fault(({ method }) => (/^eth_getTransaction(ByHash|Receipt)$/.test(method) ? { result: null } : undefined));
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  const seen = rpc.calls.filter(({ side }) => side === 'shop').length;
  await expect.poll(() => rpc.calls.filter(({ side }) => side === 'shop').length).toBeGreaterThan(seen + 3);
  await expect(xray.status).toHaveText(SENT);
  await expect(xray.failure).toBeHidden();

  rpc.clear();
  await chain.mine();
  await xray.done();
});

test('C3 after ten seconds: it takes longer than usual, and the tab may be closed', async ({ page, context, chain, xray, wallet: _ }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await expect(xray.main.getByText(/longer than usual/)).toBeVisible({ timeout: 15_000 });
  await expect(xray.main.getByText(/close this tab/).first()).toBeVisible();

  // And that is true.
  await page.close();
  chain.resume();
  const tab = await context.newPage();
  await open(tab, '/history');
  await expect(async () => {
    await tab.reload();
    await expect(tab.getByRole('row', { name: /Contract X-ray/ }).first()).toContainText('done', { timeout: 500 });
  }).toPass();
});

test('C8 the RPC is down: the payment is safe, and nobody is asked for money again', async ({ chain, guard, rpc, wallet, xray }) => {
  guard.allow(/status of 503/);
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  const before = xray.answers.length;
  rpc.down('shop');
  await expect(xray.main.getByText('Your payment is safe. We are checking.').first()).toBeVisible({ timeout: 30_000 });
  expect(xray.statuses().slice(before)).not.toContain(402);

  rpc.up('shop');
  chain.resume();
  await expect(xray.status).toHaveText('Done.', { timeout: 30_000 });
  expect(wallet.sent).toHaveLength(1);
});

test('C9 a tab reloaded while the payment is pending finds its answer', async ({ page, chain, wallet, xray }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);

  // Its own page goes on where it was; every other page has a card of it.
  await page.reload();
  await expect(xray.status).toHaveText(SENT);
  await open(page, '/');
  await expect(xray.underWay).toHaveCount(1);
  await expect(xray.underWay).toContainText(SENT);
  chain.resume();
  await xray.underWay.getByRole('link', { name: 'Open the answer' }).click();
  await expect(page).toHaveURL(/\/runs\//);
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();
  expect(wallet.sent).toHaveLength(1);
});

test('C9 the server is killed while the payment is pending: the page waits, and the run ends once', async ({ chain, guard, shop, wallet, xray, buyer }) => {
  guard.allow(/net::ERR_/);
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);

  await shop.kill9();
  await chain.mine(1 + BLOCKS_TO_FINALITY);
  await shop.start();
  chain.resume();

  await expect(xray.status).toHaveText('Done.', { timeout: 30_000 });
  expect(wallet.sent).toHaveLength(1);
  expect(await buyer.credit(), 'nothing left over, nothing taken twice').toEqual([]);
});

test('C9 the server is killed and nobody waits: it finishes by itself after its start', async ({ page, chain, shop, guard, xray, buyer }) => {
  guard.allow(/net::ERR_/);
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await page.goto('about:blank');
  await shop.kill9();
  await chain.mine(1 + BLOCKS_TO_FINALITY);
  await shop.start();
  // Who reads the chain is a lease, which outlives its holder by ten seconds.
  await expect.poll(() => buyer.session('underWay'), { timeout: 30_000 }).toEqual([]);
  await open(page, '/history');
  await expect(page.getByRole('row', { name: /Contract X-ray/ }).first()).toContainText('done');
});

test('C9 confirmed in the wallet after the page was reloaded: the payment is found, and the run is one click away', async ({ page, wallet, xray, buyer }) => {
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');
  await page.reload();
  await hydrated(page);

  question.approve();
  await expect(xray.arrived).toBeVisible({ timeout: 20_000 });
  const windows = wallet.windows.length;
  await xray.arrived.getByRole('button', { name: 'Run Contract X-ray from your credit' }).click();
  await xray.underWay.getByRole('link', { name: 'Open the answer' }).click();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible({ timeout: 20_000 });

  expect(wallet.windows).toHaveLength(windows);
  expect(wallet.sent).toHaveLength(1);
  expect(await buyer.credit()).toEqual([]);
  await expect(xray.arrived).toBeHidden();
});

test('C5 a question of before the reload is still open: said, and asked a second time only when the visitor says so', async ({ page, wallet, xray, buyer }) => {
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const first = await wallet.question('eth_sendTransaction');
  await page.reload();
  await hydrated(page);
  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.click();
  await expect(xray.failure).toContainText('Open MetaMask: a request is waiting there.');
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(1);
  // And once more, since nothing has changed.
  await xray.run.click();
  await expect(xray.failure).toContainText('Open MetaMask: a request is waiting there.');
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(1);

  // Another call is not concerned.
  await xray.lookAt({ bytecode: '0x6001600155' });
  wallet.next('eth_sendTransaction', 'reject');
  await xray.run.click();
  // The wallet asks one after the other.
  first.reject();
  await expect(xray.failure).toContainText('Payment cancelled. Nothing was charged.');
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(2);

  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.click();
  await xray.main.getByRole('button', { name: 'Ask my wallet again' }).click();
  await xray.done();
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(3);
  expect(wallet.sent).toHaveLength(1);
  expect(await buyer.credit()).toEqual([]);
});

test('C5 a question of before the reload is confirmed: the page has kept watching, and takes its warning back', async ({ page, wallet, xray }) => {
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');
  await page.reload();
  await hydrated(page);
  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.click();
  await expect(xray.failure).toContainText('a request is waiting there');
  question.approve();
  await expect(xray.arrived).toBeVisible({ timeout: 20_000 });
  await expect(xray.failure).toHaveCount(0);
  expect(wallet.sent).toHaveLength(1);
});

test('A5 the wallet says that a payment question is open already: it stays remembered', async ({ page, wallet, xray }) => {
  wallet.next('eth_sendTransaction', { error: { code: -32002, message: 'Request already pending.' } });
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Open MetaMask: a request is waiting there.');
  await expect(xray.underWay.getByText('Your wallet may still be asking about a payment.')).toBeVisible();
  await page.reload();
  await hydrated(page);
  await expect(xray.underWay.getByRole('button', { name: 'I did not pay' })).toBeVisible();

  // Whoever knows better says so.
  await xray.underWay.getByRole('button', { name: 'I did not pay' }).click();
  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.click();
  await xray.done();
  expect(wallet.sent).toHaveLength(1);
});

test('C9 "Not now" keeps the money as credit', async ({ page, wallet, xray, buyer }) => {
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');
  await page.reload();
  await hydrated(page);
  question.approve();
  await xray.arrived.getByRole('button', { name: 'Not now' }).click({ timeout: 20_000 });
  await expect(xray.arrived).toBeHidden();

  await open(page, '/credit');
  await expect(page.getByRole('region', { name: 'Your credit' })).toContainText('0.0001 MON');
  expect(await buyer.session('arrived')).toEqual([]);
});

test('C10 two payments at once are listed apart', async ({ page, context, chain, xray, buyer }) => {
  chain.pause();
  const other = new XrayPage(await context.newPage());
  await other.open();
  await other.lookAt({ bytecode: '0x6001600155' });
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await other.run.click();
  await expect(other.status).toHaveText(SENT);

  expect(await buyer.session('underWay')).toHaveLength(2);
  await open(page, '/');
  await expect(xray.underWay.getByText(SENT)).toHaveCount(2);
  chain.resume();
  await other.done();
  await expect(xray.underWay.getByText('Done.')).toHaveCount(2);
});

test('C11 a session that ends while the payment is pending: signing in again finds the run', async ({ page, context, chain, wallet, xray }) => {
  chain.pause();
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText(SENT);
  await context.clearCookies();
  await page.goto('about:blank');
  chain.resume();

  await open(page, '/history');
  await page.getByRole('main').getByRole('button', { name: /^Connect/ }).click();
  await expect(page.getByRole('row', { name: /Contract X-ray/ }).first()).toBeVisible();
  await page.getByRole('link', { name: 'Contract X-ray' }).first().click();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible({ timeout: 20_000 });
  expect(wallet.sent).toHaveLength(1);
});

test('C nobody waits: the chain is not asked anything', async ({ page, market }) => {
  // A shop of its own: where others have paid, they are still watched for.
  const rpc = await Rpc.start(market.chain.url);
  const quiet = new Shop('serve', await freePort(), {
    settings: settings({ payTo: market.payTo, rpcUrl: rpc.url('shop'), walletRpcUrl: rpc.url('wallet') }),
  });
  await quiet.start();
  await open(page, `${quiet.url}/agents/${AGENT}`);
  rpc.calls.length = 0;
  const blocks = await market.chain.rpc('eth_blockNumber');
  for (let n = 0; n < 5; n++) {
    expect((await page.request.post(`${quiet.url}/api/x402/${AGENT}`, { data: { bytecode: TOKEN } })).status()).toBe(402);
  }
  await expect.poll(async () => Number(await market.chain.rpc('eth_blockNumber'))).toBeGreaterThan(Number(blocks) + 10);
  expect(rpc.calls).toEqual([]);
  await quiet.stop();
  quiet.forget();
  rpc.stop();
});

test('C6 a payment that reverts: said, the price was not paid, and a new one is asked for', async ({ chain, market, wallet, xray, buyer }) => {
  wallet.next('eth_sendTransaction', 'hold');
  await xray.buy({ bytecode: TOKEN });
  const question = await wallet.question('eth_sendTransaction');
  // The recipient had no code when it was looked at: 21,000 gas is not enough any more.
  await chain.setCode(market.payTo, '0x5b600056');
  question.approve();
  await expect(xray.failure).toContainText('Failed on chain. The network fee is lost, the price was not paid.');
  await chain.setCode(market.payTo, '0x');
  expect(await buyer.credit()).toEqual([]);

  await xray.run.click();
  await xray.done();
  expect(wallet.sent).toHaveLength(2);
});

test('D3 killed in the middle of a paid run: it is picked up once, charged once, and the books balance', async ({ page, chain, guard, rpc, shop, wallet, xray, buyer }) => {
  guard.allow(/net::ERR_/);
  test.setTimeout(90_000);
  const { address } = freshAccount();
  await chain.setCode(address, TOKEN);
  wallet.next('eth_sendTransaction', 'hold');
  await xray.open();
  await xray.lookAt({ address: address.toLowerCase() });
  await xray.run.click();
  const question = await wallet.question('eth_sendTransaction');
  // The agent waits for its contract's code, and is still waiting when the power goes.
  const never = new Promise<never>(() => {});
  rpc.fault(({ method, params }, side) =>
    side === 'shop' && method === 'eth_getCode' && String(params?.[0]).toLowerCase() === address.toLowerCase() ? never : undefined,
  );
  question.approve();
  await expect(xray.status).toHaveText('Paid. The agent is running.');
  await expect.poll(() => rpc.calls.some(({ side, method }) => side === 'shop' && method === 'eth_getCode')).toBe(true);

  await shop.kill9();
  rpc.clear();
  await shop.start();
  // Its lease has to end first.
  await expect(xray.status).toHaveText('Done.', { timeout: 45_000 });
  expect(wallet.sent).toHaveLength(1);
  expect(await buyer.credit(), 'nothing left over').toEqual([]);
  await xray.answer.getByRole('link', { name: 'Receipt' }).click();
  await expect(page.getByRole('main').locator('dt', { hasText: 'Attempts' }).locator('xpath=following-sibling::dd[1]')).toHaveText('2');

  await shop.stop();
  expect(await shop.books()).toBeTruthy();
});
