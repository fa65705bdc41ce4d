// The page of Contract X-ray, as a visitor handles it.

import { expect, type Locator, type Page, type Request, type Response } from '@playwright/test';
import { open } from './guard.ts';

export const AGENT = 'contract-xray';
export const PRICE = '0.0001 MON';
export const DOLLAR_PRICE = '0.001 USDC';
/** 10⁻⁶ dollars. */
export const DOLLAR_UNITS = 1_000n;
/** Wei. */
export const PRICE_WEI = 100_000_000_000_000n;

export class XrayPage {
  readonly main: Locator;
  readonly run: Locator;
  /** The same button, where dollars are chosen. */
  readonly runForDollars: Locator;
  /** The choice of what to pay in, where there is one. */
  readonly inDollars: Locator;
  readonly inCoin: Locator;
  readonly payFromCredit: Locator;
  readonly tryAgain: Locator;
  /** Where the call is, in words. */
  readonly status: Locator;
  readonly failure: Locator;
  readonly quote: Locator;
  /** What was paid for: the sample is elsewhere. */
  readonly answer: Locator;
  readonly address: Locator;
  readonly bytecode: Locator;
  /** Payments and runs that have not ended, or whose answer was not seen. */
  readonly underWay: Locator;
  /** A payment that arrived without its run. */
  readonly arrived: Locator;
  /** Every call of the agent that this page made, in order. */
  readonly calls: Request[] = [];
  readonly answers: Response[] = [];

  constructor(readonly page: Page) {
    this.main = page.getByRole('main');
    this.run = this.main.getByRole('button', { name: `Run for ${PRICE}`, exact: true });
    this.runForDollars = this.main.getByRole('button', { name: `Run for ${DOLLAR_PRICE}`, exact: true });
    this.inDollars = this.main.getByRole('group', { name: 'Pay with' }).getByRole('radio', { name: /USDC/ });
    this.inCoin = this.main.getByRole('group', { name: 'Pay with' }).getByRole('radio', { name: /MON/ });
    this.payFromCredit = this.main.getByRole('button', { name: /^Pay .*from( your)? credit/ });
    this.tryAgain = this.main.getByRole('button', { name: 'Try again', exact: true });
    this.status = this.main.locator('[role=status].phase');
    this.failure = this.main.locator('[role=alert].failure');
    this.quote = this.main.locator('dl.quote');
    this.answer = this.main.getByRole('region', { name: 'Answer', exact: true });
    this.address = this.main.getByRole('textbox', { name: 'Address' });
    this.bytecode = this.main.getByRole('textbox', { name: 'Runtime bytecode' });
    this.underWay = page.getByRole('region', { name: 'Payments and runs under way' }).getByRole('listitem');
    this.arrived = this.underWay.filter({ has: page.getByRole('heading', { name: 'Your payment arrived' }) });
    page.on('request', (request) => request.url().includes(`/api/x402/${AGENT}`) && this.calls.push(request));
    page.on('response', (response) => response.url().includes(`/api/x402/${AGENT}`) && this.answers.push(response));
  }

  async open() {
    await open(this.page, `/agents/${AGENT}`);
  }

  async lookAt(input: { address: string } | { bytecode: string }) {
    const [mode, text] = Object.entries(input)[0] as ['address' | 'bytecode', string];
    await this.main.getByText(mode === 'address' ? 'A contract’s address' : 'Its bytecode', { exact: true }).click();
    await this[mode].fill(text);
  }

  /** Opens the page, fills it in and clicks the price. */
  async buy(input: { address: string } | { bytecode: string }) {
    await this.open();
    await this.lookAt(input);
    await this.run.click();
  }

  /** The same, in dollars. */
  async buyForDollars(input: { address: string } | { bytecode: string }) {
    await this.open();
    await this.lookAt(input);
    await this.inDollars.check();
    await this.runForDollars.click();
  }

  async done() {
    await expect(this.status).toHaveText('Done.');
  }

  /** What the status line says from now on, word by word, each sentence once in a row. */
  async follow(): Promise<() => Promise<string[]>> {
    await this.main.evaluate((main) => {
      const said: string[] = [];
      Object.assign(window, { said });
      new MutationObserver(() => {
        const text = main.querySelector('[role=status].phase')?.textContent?.trim();
        if (text && text !== said.at(-1)) said.push(text);
      }).observe(main, { subtree: true, childList: true, characterData: true });
    });
    return () => this.page.evaluate(() => (window as unknown as { said: string[] }).said);
  }

  statuses(): number[] {
    return this.answers.map((answer) => answer.status());
  }

  /** The requests that carried a payment. */
  paid(): Request[] {
    return this.calls.filter((request) => 'x-payment' in request.headers());
  }
}

/** What an `x-payment` header of this page says. */
export function payment(request: Request): {
  payload: { transaction?: string; credit?: string; signature?: string; authorization?: Record<string, string> };
  accepted: { amount: string; asset: string; payTo: string };
} {
  return JSON.parse(Buffer.from(request.headers()['x-payment'] ?? '', 'base64').toString());
}
