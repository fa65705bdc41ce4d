// What is on sale without a language model, and what each is asked by its own example.

import { expect, type Page } from '@playwright/test';

export type OnSale = {
  slug: string;
  /** The example's button. */
  example: string;
  /** What its answer says, among other things. */
  says: RegExp;
  /** An input that parses and cannot be used. */
  wrong: object;
};

export const ON_SALE: OnSale[] = [
  { slug: 'contract-xray', example: 'a clone’s bytecode', says: /A clone of a contract/, wrong: { bytecode: '0x60806' } },
  { slug: 'tx-explainer', example: 'an unlimited approval', says: /unlimited/i, wrong: { hash: '0x12' } },
  { slug: 'wallet-report', example: 'Permit2, a contract', says: /MON/, wrong: { address: '0x12' } },
  { slug: 'page-brief', example: 'a notice with prices and dates', says: /price/i, wrong: { url: 'http://127.0.0.1/' } },
  { slug: 'document-brief', example: 'meeting notes', says: /sentence/i, wrong: { text: '', sentences: 5 } },
];

/** Clicks the example and the price, and waits for the answer. */
export async function runExample(page: Page, agent: OnSale) {
  const main = page.getByRole('main');
  await main.getByRole('button', { name: agent.example, exact: true }).click();
  await main.getByRole('button', { name: /^Run for / }).click();
  await expect(main.locator('[role=status].phase')).toHaveText('Done.', { timeout: 20_000 });
}
