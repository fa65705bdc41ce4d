// How far a run is, while somebody waits: ux.md, D5. The agent is slow because its node is.

import { setTimeout as pause } from 'node:timers/promises';
import type { Locator, Page } from '@playwright/test';
import { freshAccount } from './support/buyer.mjs';
import type { Chain } from './support/chain.mjs';
import type { Answer, Call, Rpc } from './support/rpc.ts';
import { expect, open, test } from './support/test.ts';

/** What the agent asks and no payment waits for. */
const ASKED_BY_THE_AGENT = /^eth_(call|getBalance|getCode|getLogs)$/;
/** Of each answer: several of them are a run that takes a while, none is a node that does not answer. */
const SLOW_MS = 1_500;

function slow(rpc: Rpc, chain: Chain) {
  const later = async (call: Call): Promise<Answer> => {
    await pause(SLOW_MS);
    const body = JSON.stringify({ ...call, jsonrpc: '2.0' });
    const answer = await fetch(chain.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { result, error } = (await answer.json()) as { result?: unknown; error?: { code: number; message: string } };
    return error ? { error } : { result };
  };
  rpc.fault((call, side) => (side === 'shop' && ASKED_BY_THE_AGENT.test(call.method) ? later(call) : undefined));
}

async function buy(page: Page): Promise<Locator> {
  await open(page, '/agents/wallet-report');
  const main = page.getByRole('main');
  await main.getByRole('textbox', { name: 'Address' }).fill(freshAccount().address);
  await main.getByRole('button', { name: 'Run for 0.0001 MON', exact: true }).click();
  return main;
}

const STEP = /^Step \d of 5: ./;
const done = (main: Locator) => expect(main.locator('[role=status].phase')).toHaveText('Done.', { timeout: 30_000 });

test('D5 each step is shown as it happens, with a bar and the steps so far, also after a reload', async ({ page, chain, rpc, wallet: _ }) => {
  test.setTimeout(90_000);
  slow(rpc, chain);
  const main = await buy(page);
  const step = main.getByRole('status').filter({ hasText: STEP });
  await expect(step).toBeVisible({ timeout: 15_000 });
  const bar = main.getByRole('progressbar', { name: 'How far the work is' });
  await expect(bar).toHaveAttribute('max', '5');
  const steps = bar.locator('xpath=../following-sibling::ol').getByRole('listitem');
  await expect(steps.first()).toHaveText('Reading the account');
  await expect(steps.nth(1)).toBeVisible({ timeout: 15_000 });

  // What was shown is still there, and it goes on.
  await page.reload();
  await expect(steps.first()).toHaveText('Reading the account', { timeout: 10_000 });
  await expect(steps.nth(1)).toBeVisible();
  await done(main);
  await expect(bar).toBeHidden();
});

test('D5 how far a run is stands on its card and in its row too', async ({ page, chain, rpc, wallet: _ }) => {
  test.setTimeout(90_000);
  slow(rpc, chain);
  const main = await buy(page);
  await expect(main.getByRole('status').filter({ hasText: STEP })).toBeVisible({ timeout: 15_000 });
  await open(page, '/history');
  const card = page.getByRole('region', { name: 'Payments and runs under way' }).getByRole('listitem');
  await expect(card.getByRole('status')).toHaveText(STEP);
  await expect(page.getByRole('row', { name: /Wallet Report/ }).first()).toContainText(/Step \d of 5/);
});

test('D5 where events are refused, the page asks instead', async ({ page, chain, rpc, wallet: _ }) => {
  test.setTimeout(90_000);
  await page.route('**/api/runs/*/events', (route) => route.fulfill({ status: 429, json: { code: 'rate_limited' } }));
  slow(rpc, chain);
  const main = await buy(page);
  await expect(main.getByRole('status').filter({ hasText: STEP })).toBeVisible({ timeout: 15_000 });
  await done(main);
});
