// Wallets that do not send their payment themselves: gas sponsorship, bundles.

import { TOKEN } from './support/contracts.ts';
import { expect, test } from './support/test.ts';

test('P1 a payment through a relayer buys the answer', async ({ chain, wallet, xray, buyer }) => {
  wallet.always('eth_sendTransaction', 'relay');
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();

  // It was somebody else's transaction, and moved nothing at its top.
  const landed = await chain.rpc('eth_getTransactionByHash', wallet.sent[0]);
  expect(landed).toMatchObject({ type: '0x4', to: wallet.address, value: '0x0' });
  expect(landed.from).not.toBe(wallet.address);
  await expect(xray.answer).toContainText("network fee, paid by the wallet's sponsor");

  await test.step('the account is delegated by now, and pays again', async () => {
    await xray.lookAt({ bytecode: '0x6001600155' });
    await xray.run.click();
    await expect.poll(() => wallet.sent).toHaveLength(2);
    await xray.done();
  });
  expect(await buyer.credit(), 'each payment bought its answer').toEqual([]);
});

test("P2 a wallet that answers with a bundle's id buys the answer: as long as a hash", async ({ wallet, xray, buyer }) => {
  // It looks like a payment's hash, and no node will ever know it: joined with what the watch of this very call found (P7).
  wallet.next('eth_sendTransaction', { bundle: `0x${'b0'.repeat(32)}` });
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.status).toHaveText('Done.', { timeout: 10_000 });
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible();
  await expect(xray.answer.getByText(wallet.sent[0]!.slice(0, 8)).first()).toBeVisible();
  await expect(xray.arrived).toHaveCount(0);
  expect(wallet.asked('eth_sendTransaction')).toHaveLength(1);
  expect(await buyer.credit()).toEqual([]);
});

test("P2 a wallet that answers with a bundle's id buys the answer: longer than a hash", async ({ wallet, xray, buyer }) => {
  wallet.next('eth_sendTransaction', { bundle: `0x${'b1'.repeat(64)}` });
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('Your wallet gave no transaction hash. If it paid, the payment is found by itself.');
  await expect(xray.arrived).toBeVisible({ timeout: 20_000 });
  const windows = wallet.windows.length;
  await xray.arrived.getByRole('button', { name: 'Run Contract X-ray from your credit' }).click();
  await xray.underWay.getByRole('link', { name: 'Open the answer' }).click();
  await expect(xray.answer.getByText('setBlacklisted').first()).toBeVisible({ timeout: 20_000 });
  expect(wallet.windows).toHaveLength(windows);
  expect(await buyer.credit()).toEqual([]);
});
