// The base of every spec: a page that logs an error, throws, or asks anybody but this machine fails its test.

import { test as base, expect, type BrowserContext, type ConsoleMessage, type Page } from '@playwright/test';

/** Chrome's own line for a 4xx: the shop answers those on purpose. */
const EXPECTED = [/^Failed to load resource: the server responded with a status of 4\d\d /];

export class Guard {
  readonly #wrong: string[] = [];
  readonly #allowed = [...EXPECTED];

  watch(context: BrowserContext) {
    context.on('console', (message) => this.#console(message));
    context.on('weberror', (error) => this.#wrong.push(`thrown: ${error.error().stack ?? error.error().message}`));
    context.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol.startsWith('http') && hostname !== '127.0.0.1') this.#wrong.push(`asked outside: ${request.url()}`);
    });
  }

  /** A test that breaks something on purpose says what Chrome will say about it. */
  allow(line: RegExp) {
    this.#allowed.push(line);
  }

  #console(message: ConsoleMessage) {
    if (message.type() !== 'error' || this.#allowed.some((line) => line.test(message.text()))) return;
    this.#wrong.push(`console: ${message.text()} (${message.location().url})`);
  }

  check() {
    expect(this.#wrong, 'what the page should not have done').toEqual([]);
  }
}

export const test = base.extend<{ guard: Guard }>({
  guard: [
    async ({ context }, use) => {
      const guard = new Guard();
      guard.watch(context);
      await use(guard);
      guard.check();
    },
    { auto: true },
  ],
});

export { expect };

/** Opens a page and waits until the browser's side has taken it over. */
export async function open(page: Page, path: string) {
  await page.goto(path);
  await hydrated(page);
}

export async function hydrated(page: Page) {
  await expect(page.locator('html')).toHaveAttribute('data-hydrated', 'true');
}
