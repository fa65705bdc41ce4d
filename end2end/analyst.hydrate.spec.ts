// Analyst, and what a language model adds to the others, in a shop that has one.

import { check } from './support/access.ts';
import { runExample, ON_SALE } from './support/agents.ts';
import { MODEL, type Script } from './support/model.ts';
import { expect, open, test } from './support/test.ts';

test.use({ hasModel: true });

/** The form's own example is about it: a clone (EIP-1167). */
const CLONE = '0x363d3d373d3d3d363d735fbdb2315678afecb367f032d93f642f64180aa35af43d82803e903d91602b57fd5bf3';

/** Looks at a contract, says that this is enough, and answers in the form. */
const looksOnce: Script = (turn) => {
  if (turn === 0) return { tool_calls: [{ name: 'contract_xray', input: { bytecode: CLONE } }] };
  if (turn === 1) return { content: 'I have seen enough.' };
  const form = { answer: 'No: it hands every call to one contract for ever [1].', citations: [1], confidence: 'medium', open_questions: ['What can that contract do?'] };
  return { content: JSON.stringify(form) };
};

test('a question in words: each step is shown as it happens, and the answer names the facts it stands on', async ({ page, model, wallet: _ }) => {
  model.play(looksOnce, 1_500);
  await open(page, '/');
  await page.getByRole('link', { name: 'Open Analyst' }).click();
  const main = page.getByRole('main');
  await main.getByRole('button', { name: 'can this clone change?' }).click();
  await check(page, 'analyst, asked');
  await main.getByRole('button', { name: /^Run for / }).click();
  const steps = main.getByRole('listitem');
  await expect(steps.filter({ hasText: /Contract X-ray/ }).first()).toBeVisible({ timeout: 20_000 });
  await expect(main.locator('[role=status].phase')).toHaveText('Done.', { timeout: 30_000 });

  const answer = page.getByRole('region', { name: 'Answer', exact: true });
  await expect(answer).toContainText('to one contract for ever [1]');
  await expect(answer).toContainText(MODEL);
  await expect(answer).toContainText('What can that contract do?');
  await expect(answer.getByText('Contract X-ray').first()).toBeVisible();
  await check(page, 'analyst, answered');
});

test('what a model explains is labelled with its name, beside what was computed', async ({ page, wallet: _ }) => {
  await open(page, '/agents/contract-xray');
  await runExample(page, ON_SALE.find(({ slug }) => slug === 'contract-xray')!);
  const answer = page.getByRole('region', { name: 'Answer', exact: true });
  await expect(answer).toContainText('In plain words: this was computed');
  await expect(answer.locator('.explanation')).toContainText(MODEL);
  await expect(answer).toContainText(/A clone of a contract/);
});

test('a model that says nothing fails nothing that is computed, and the report says so', async ({ page, model, wallet: _ }) => {
  model.play(() => ({}));
  await open(page, '/agents/contract-xray');
  await runExample(page, ON_SALE.find(({ slug }) => slug === 'contract-xray')!);
  const answer = page.getByRole('region', { name: 'Answer', exact: true });
  await expect(answer.getByRole('note')).toContainText('There is no explanation in plain words this time');
  await expect(answer).toContainText(/A clone of a contract/);
});
