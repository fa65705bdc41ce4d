// Follows docs/add-an-agent.md: puts its example into a copy of the source, builds the page's side and the server, and
// buys the new agent over HTTP from a wallet. Node's own test runner, no browser: npm run test:docs.
//
// The copy stands at one fixed place, under the target directory, and uses that directory: of all crates only ours is compiled.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Buyer } from './support/buyer.mjs';
import { Chain } from './support/chain.mjs';
import { freePort, settings, Shop } from './support/shop.mjs';

const ROOT = path.resolve(import.meta.dirname, '..');
const TARGET = path.resolve(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target'));
const COPY = path.join(TARGET, 'add-an-agent');
/** What the two builds read. */
const SOURCE = ['.cargo', 'Cargo.lock', 'Cargo.toml', 'Leptos.toml', 'end2end/contracts', 'migrations', 'src'];
/** The server does not open without a page; the one that is built serves here, since nobody looks at it. */
const SITE = 'target/site';

/** The code blocks of the guide whose first line names their file: `// src/agents/word_count.rs`. */
function examples() {
  const guide = readFileSync(path.join(ROOT, 'docs/add-an-agent.md'), 'utf8');
  return [...guide.matchAll(/^```rust\n\/\/ (src\/\S+\.rs)\n([\s\S]*?)^```$/gm)].map(([, file, code]) => ({ file: file ?? '', code: code ?? '' }));
}

/**
 * Shows what cargo says only where it fails.
 * @param {...string} args
 */
async function cargo(...args) {
  const child = spawn('cargo', args, { cwd: COPY, env: { ...process.env, CARGO_TARGET_DIR: TARGET } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += part));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, `cargo ${args.join(' ')}\n${said}`);
}

describe('docs/add-an-agent.md', () => {
  /** @type {Chain} */
  let chain;
  /** @type {Shop} */
  let shop;

  before(() => {
    rmSync(COPY, { recursive: true, force: true });
    mkdirSync(COPY, { recursive: true });
    for (const name of [...SOURCE, SITE]) cpSync(path.join(ROOT, name), path.join(COPY, name), { recursive: true });
  });

  after(async () => {
    await shop?.stop();
    shop?.forget();
    chain?.stop();
    rmSync(COPY, { recursive: true, force: true });
  });

  it('step 1: the example is one file of src/agents', () => {
    const [agent, ...others] = examples();
    assert.equal(agent?.file, 'src/agents/word_count.rs');
    assert.deepEqual(others, [], 'one file is all that an agent needs');
    writeFileSync(path.join(COPY, agent.file), agent.code);
  });

  it('step 2: its name goes into the list', () => {
    const list = path.join(COPY, 'src/agents/mod.rs');
    const before = readFileSync(list, 'utf8');
    const after = before.replace(/^on_sale!\[(.*)\];$/m, 'on_sale![$1, word_count];');
    assert.notEqual(after, before);
    writeFileSync(list, after);
  });

  it('step 3 and 4: the page compiles', () =>
    cargo('check', '--locked', '--features', 'hydrate', '--lib', '--target', 'wasm32-unknown-unknown'));

  // As it is sold, but for our own crate's optimisation, which is most of the time that it takes.
  it('the server builds', () =>
    cargo('build', '--locked', '--release', '--features', 'ssr', '--config', 'profile.release.package.coinslot.opt-level=0'));

  it('a program buys it: 402, payment, answer, and the books balance', async () => {
    chain = await Chain.start();
    const port = await freePort();
    const payTo = '0x00000000000000000000000000000000c0175107';
    shop = new Shop('serve', port, {
      binary: path.join(TARGET, 'release/coinslot'),
      settings: settings({ payTo, rpcUrl: chain.url, walletRpcUrl: chain.url }),
    });
    await shop.start();

    const buyer = new Buyer(shop.url, chain.url);
    await chain.fund(buyer.account.address);
    const cards = (await buyer.ask('/api/agents')).json;
    const card = cards.find((/** @type {{ slug: string }} */ { slug }) => slug === 'word-count');
    assert.ok(card, 'the shop window has it');
    assert.equal(card.inputSchema.properties.text.description, 'What to count.', 'its doc comments are what programs know of it');
    assert.ok(card.outputSchema.properties.longest);
    const { paths } = (await buyer.ask('/openapi.json')).json;
    assert.ok(paths['/api/x402/word-count'].post['x-payment'].accepts.length > 0, 'OpenAPI has it, with its price');

    const nothing = await buyer.ask('/api/x402/word-count', { method: 'POST', body: { text: '' } });
    assert.equal(nothing.status, 400, 'a bad input is refused before its price');
    assert.equal(nothing.json.code, 'invalid_input');

    await buyer.signIn();
    const { answer, offer } = await buyer.buy('word-count', card.example);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json, { words: 5, lines: 2, characters: 26, longest: 'answer' });
    assert.ok(answer.headers.get('payment-response'), 'the answer comes with its receipt');
    assert.equal(await chain.balance(payTo), BigInt(offer.amount));

    await shop.stop();
    await shop.books();
  });
});
