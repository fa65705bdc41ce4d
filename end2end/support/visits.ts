// Every page of the shop, each in the states it can be in: what the accessibility checks and the pictures go through.

import type { BrowserContext } from '@playwright/test';
import { ON_SALE } from './agents.ts';
import type { Buyer } from './buyer.mjs';
import { TOKEN } from './contracts.ts';
import { AGENT, PRICE_WEI } from './xray.ts';

export const PUBLIC = ['/', ...ON_SALE.map(({ slug }) => `/agents/${slug}`), `/agents/${AGENT}#api`, '/history', '/credit', '/nothing'];

/** Buys one run, leaves a bit of credit, and signs the browser in as its payer. The pages that then have something on them. */
export async function asPayer(context: BrowserContext, buyer: Buyer): Promise<string[]> {
  const { answer } = await buyer.buy(AGENT, { bytecode: TOKEN }, 3n * PRICE_WEI);
  if (answer.status !== 200) throw new Error(`the run that every page shows: ${answer.status} ${answer.text}`);
  const [name, value] = buyer.cookie.split('=') as [string, string];
  await context.addCookies([{ name, value, url: buyer.shop }]);
  const [run] = (await buyer.ask('/api/page/history')).json.runs as [{ id: string }];
  return [`/runs/${run.id}`, `/receipts/${run.id}`, '/history', '/credit', `/agents/${AGENT}?run=${run.id}`];
}
