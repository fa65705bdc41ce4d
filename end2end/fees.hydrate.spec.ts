// What a payment costs beside its price: the same figure wherever it stands, who may pay it, and what was charged.

import { formatEther } from 'viem';
import { TOKEN } from './support/contracts.ts';
import { GAS_PRICE } from './support/rpc.ts';
import { expect, test } from './support/test.ts';
import { PRICE_WEI } from './support/xray.ts';

test.use({ sponsorsGas: true });

const SAID = 'Network fee: up to 0.0021 MON; MetaMask may pay it for you';

/** To three significant digits. */
function rounded(wei: bigint): string {
  const digits = wei.toString();
  const kept = Math.round(Number(digits.slice(0, 4)) / 10 ** (digits.slice(0, 4).length - Math.min(3, digits.length)));
  return formatEther(BigInt(kept) * 10n ** BigInt(Math.max(0, digits.length - 3)));
}

test('P4 before the wallet opens the page says that it may pay the fee; afterwards, what was charged', async ({ page, chain, rpc, wallet, xray }) => {
  // A node's price of gas has digits that nobody reads.
  rpc.fault(({ method }, side) =>
    side === 'wallet' && method === 'eth_gasPrice' ? { result: `0x${(GAS_PRICE + 20_000_007n).toString(16)}` } : undefined,
  );
  wallet.next('eth_sendTransaction', 'hold');
  await xray.open();
  await expect(xray.quote).toContainText(SAID);
  await expect(page.getByRole('complementary', { name: 'What you pay' })).toContainText('up to 0.0021 MON network fee');
  await xray.lookAt({ bytecode: TOKEN });
  await xray.run.click();
  const question = await wallet.question('eth_sendTransaction');
  await expect(xray.quote).toContainText(SAID);
  await expect(xray.quote).toContainText('up to 0.0022 MON');
  question.approve();
  await xray.done();

  const { gasUsed, effectiveGasPrice } = await chain.rpc('eth_getTransactionReceipt', wallet.sent[0]);
  const charged = `${rounded(BigInt(gasUsed) * BigInt(effectiveGasPrice))} MON`;
  await expect(xray.answer).toContainText(`0.0001 MON and ${charged} network fee`);
  await expect(xray.answer).not.toContainText('sponsor');
  await xray.answer.getByRole('link', { name: 'Receipt' }).click();
  const receipt = page.getByRole('main').locator('dt', { hasText: 'Network fee' }).locator('xpath=following-sibling::dd[1]');
  await expect(receipt).toHaveText(charged);
});

test('P4 what is missing is told with the same fee', async ({ chain, wallet, xray }) => {
  await chain.fund(wallet.address, PRICE_WEI);
  await xray.buy({ bytecode: TOKEN });
  await expect(xray.failure).toContainText('needs 0.0022 MON: 0.0001 MON and about 0.0021 MON network fee');
});

test("P4 a fee that somebody else paid is told as the sponsor's", async ({ page, wallet, xray }) => {
  wallet.next('eth_sendTransaction', 'relay');
  await xray.buy({ bytecode: TOKEN });
  await xray.done();
  await expect(xray.answer).toContainText("network fee, paid by the wallet's sponsor");
  await xray.answer.getByRole('link', { name: 'Receipt' }).click();
  await expect(page.getByRole('main')).toContainText("MON, paid by the wallet's sponsor");
});
