// What the specs stand on: a chain, a node that can fail, the real binary, a wallet with coins.

import { test as guarded } from './guard.ts';
import { Chain } from './chain.mjs';
import { Buyer, freshAccount } from './buyer.mjs';
import { Dollar } from './dollar.ts';
import { Model } from './model.ts';
import { Rpc } from './rpc.ts';
import { freePort, settings, Shop } from './shop.mjs';
import { type Announcement, Wallet } from './wallet.ts';
import { XrayPage } from './xray.ts';

/** What one Playwright worker opens once and all its tests share. */
type Market = { chain: Chain; rpc: Rpc; shop: Shop; payTo: string; dollar: Dollar | undefined; model: Model | undefined };

type Worker = {
  /** Whether the market also sells for the demo dollar: `test.use({ sellsForDollars: true })`, for a whole file. */
  sellsForDollars: boolean;
  /** Whether it has a language model: `test.use({ hasModel: true })`, for a whole file. */
  hasModel: boolean;
  /** Whether wallets may pay the gas on its network: `test.use({ sponsorsGas: true })`, for a whole file. */
  sponsorsGas: boolean;
  market: Market;
};
type Each = {
  announcement: Announcement;
  shop: Shop;
  chain: Chain;
  rpc: Rpc;
  /** The token, where the market sells for it. */
  dollar: Dollar;
  /** The language model's server, where the market has one. */
  model: Model;
  /** Installed in the test's context, with 100 MON, connected to nothing yet. */
  wallet: Wallet;
  /** A payer with the wallet's own account who needs no page. */
  buyer: Buyer;
  xray: XrayPage;
};

export const test = guarded.extend<Each, Worker>({
  sellsForDollars: [false, { option: true, scope: 'worker' }],
  hasModel: [false, { option: true, scope: 'worker' }],
  sponsorsGas: [false, { option: true, scope: 'worker' }],
  market: [
    async ({ sellsForDollars, hasModel, sponsorsGas }, use) => {
      const chain = await Chain.start();
      const rpc = await Rpc.start(chain.url);
      const payTo = freshAccount().address;
      const dollar = sellsForDollars ? await Dollar.deploy(chain) : undefined;
      const model = hasModel ? await Model.start() : undefined;
      const shop = new Shop('serve', await freePort(), {
        settings: settings({
          payTo,
          rpcUrl: rpc.url('shop'),
          walletRpcUrl: rpc.url('wallet'),
          sponsorsGas,
          ...(dollar && { dollars: { token: dollar.address, operatorKey: await dollar.operator() } }),
          ...(model && { modelUrl: model.url }),
        }),
      });
      await shop.start();
      await use({ chain, rpc, shop, payTo, dollar, model });
      await shop.stop();
      const books = await shop.books().catch((error: unknown) => error);
      model?.stop();
      rpc.stop();
      chain.stop();
      if (books instanceof Error) throw books;
      shop.forget();
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  // Each test finds the market as it was opened, whatever the one before did to it.
  shop: async ({ market: { shop, chain, rpc } }, use, info) => {
    const before = (await shop.said()).length;
    await use(shop);
    rpc.clear();
    chain.resume();
    if (!shop.running) await shop.start();
    if (info.status !== info.expectedStatus) await info.attach('shop.log', { body: (await shop.said()).slice(before) });
  },
  chain: async ({ market, shop: _ }, use) => use(market.chain),
  rpc: async ({ market, shop: _ }, use) => use(market.rpc),
  dollar: async ({ market, shop: _ }, use) => {
    if (!market.dollar) throw new Error('this market has no dollars: test.use({ sellsForDollars: true })');
    await use(market.dollar);
  },
  model: async ({ market }, use) => {
    if (!market.model) throw new Error('this market has no model: test.use({ hasModel: true })');
    await use(market.model);
    market.model.forget();
  },
  baseURL: async ({ shop }, use) => use(shop.url),
  announcement: [{}, { option: true }],
  wallet: async ({ context, shop, chain, rpc, announcement }, use) => {
    const wallet = await Wallet.install(context, rpc.url('wallet'), announcement);
    await chain.fund(wallet.address);
    await use(wallet);
    if (wallet.alerts.length) throw new Error(`the wallet warned: ${wallet.alerts.join('; ')}`);
    const log = await shop.said();
    const leaked = wallet.signatures.filter((signature) => log.includes(signature));
    if (leaked.length) throw new Error(`the shop logged ${leaked.length} signature(s)`);
  },
  buyer: async ({ shop, chain, wallet }, use) => use(await new Buyer(shop.url, chain.url, wallet.account).signIn()),
  xray: async ({ page, shop: _ }, use) => use(new XrayPage(page)),
});

export { expect, hydrated, open } from './guard.ts';
