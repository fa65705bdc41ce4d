// The shop's one name: a page that was opened under another one goes there, before a wallet is asked for anything (P5).

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Chain } from './support/chain.mjs';
import { freshAccount } from './support/buyer.mjs';
import { expect, hydrated, test } from './support/test.ts';
import { freePort, settings, Shop } from './support/shop.mjs';

const servers: Server[] = [];

async function listening(answer: RequestListener, port = 0): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Another name for the shop: a proxy that gives it the `Host` it is listening on, as nginx does unless it is told otherwise. */
const proxy = (target: string) =>
  listening((request, response) => {
    const headers = Object.entries(request.headers).filter(([name]) => !['host', 'connection'].includes(name)) as [string, string][];
    fetch(`${target}${request.url}`, { headers, redirect: 'manual' }).then(
      async (answer) => {
        const kept = [...answer.headers].filter(([name]) => !['content-encoding', 'content-length', 'transfer-encoding'].includes(name));
        response.writeHead(answer.status, Object.fromEntries(kept)).end(Buffer.from(await answer.arrayBuffer()));
      },
      () => response.writeHead(502).end(),
    );
  });

test.afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

test('P5 a page under another name is the same page under the shop\'s own', async ({ page, shop, wallet }) => {
  const other = await proxy(shop.url);
  await page.goto(`${other}/agents/contract-xray?from=elsewhere&a=%2F#price`);
  await expect(page).toHaveURL(`${shop.url}/agents/contract-xray?from=elsewhere&a=%2F#price`);
  expect(wallet.asked('eth_requestAccounts')).toHaveLength(0);
  // The wrong name is no step on the way back.
  await page.goto('about:blank');
  await page.goBack();
  await expect(page).toHaveURL(/^http:\/\/127\.0\.0\.1:\d+\/agents\/contract-xray/);
  expect(new URL(page.url()).origin).toBe(shop.url);
});

test('P5 localhost is sent on before a page is made, with path and query, and nothing but pages is', async ({ shop }) => {
  const at = (path: string, method = 'GET') => fetch(`http://localhost:${shop.port}${path}`, { method, redirect: 'manual' });
  for (const [path, method] of [['/', 'GET'], ['/agents/contract-xray?a=1&b=%2F', 'GET'], ['/history', 'HEAD']] as const) {
    const answer = await at(path, method);
    expect([answer.status, answer.headers.get('location')]).toEqual([307, `${shop.url}${path}`]);
  }
  for (const path of ['/healthz', '/readyz', '/api/agents', '/openapi.json', '/llms.txt', '/.well-known/x402', '/favicon.svg']) {
    expect((await at(path)).status, path).toBe(200);
  }
});

test('P5 two names that each send to the other end in a page, not in a loop', async ({ page }) => {
  const chain = await Chain.start();
  const port = await freePort();
  const at = `http://127.0.0.1:${port}`;
  let sent = 0;
  const publicUrl = await listening((request, response) => {
    sent += 1;
    response.writeHead(302, { location: `${at}${request.url}` }).end();
  });
  const text = settings({ payTo: freshAccount().address, rpcUrl: chain.url, walletRpcUrl: chain.url });
  const shop = new Shop('serve', port, { settings: text.replace('[coinslot]', `[coinslot]\npublic_url = "${publicUrl}"`) });
  await shop.start();
  try {
    await page.goto(`${at}/`);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect.poll(() => sent).toBe(1);
    // A document that goes elsewhere never comes to life: the one that does has decided to stay.
    await hydrated(page);
    expect([page.url(), sent]).toEqual([`${at}/`, 1]);
  } finally {
    await shop.stop();
    shop.forget();
    chain.stop();
  }
});
