// Follows docs/add-an-agent.md in a copy of the source: puts its example there by hand, lets `coinslot new-agent` begin another agent beside it,
// lints and builds the page's side and the server, and buys both over HTTP from a wallet. Node's own test runner, no browser: npm run test:docs.
//
// The copy stands at one fixed place, under the target directory, and uses that directory: of all crates only ours is compiled, once for each side.
// PROFILE=dev builds it as `cargo build` does, for who has not built the release.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Buyer } from './support/buyer.mjs';
import { Chain } from './support/chain.mjs';
import { DIST, freePort, settings, Shop } from './support/shop.mjs';

const ROOT = path.resolve(import.meta.dirname, '..');
const TARGET = path.resolve(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target'));
const COPY = path.join(TARGET, 'add-an-agent');
/** What the two builds read. */
const SOURCE = ['.cargo', 'Cargo.lock', 'Cargo.toml', 'Leptos.toml', 'crates', 'end2end/contracts', 'migrations', 'rustfmt.toml', 'clippy.toml', 'src'];
/** The server does not open without a page; the one that is built serves here, since nobody looks at it. */
const SITE = 'target/site';
const PROFILE = process.env.PROFILE ?? 'release';
const LIST = path.join(COPY, 'src/agents/mod.rs');

/** The code blocks of the guide whose first line names their file: `// src/agents/word_count.rs`. */
function examples() {
  const guide = readFileSync(path.join(ROOT, 'docs/add-an-agent.md'), 'utf8');
  return [...guide.matchAll(/^```rust\n\/\/ (src\/\S+\.rs)\n([\s\S]*?)^```$/gm)].map(([, file, code]) => ({ file: file ?? '', code: code ?? '' }));
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
async function run(program, args, env = {}) {
  const child = spawn(program, args, { cwd: COPY, env: { ...process.env, CARGO_TARGET_DIR: TARGET, ...env } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += part));
  const code = await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
  return { code, said };
}

/**
 * Shows what it says only where it fails.
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
async function done(program, args, env) {
  const { code, said } = await run(program, args, env);
  assert.equal(code, 0, `${program} ${args.join(' ')}\n${said}`);
  return said;
}

const agents = () => readdirSync(path.join(COPY, 'src/agents')).sort();

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
    const before = readFileSync(LIST, 'utf8');
    const after = before.replace(/^on_sale!\[([^\]]*?),?\s*\];$/m, 'on_sale![$1, word_count];');
    assert.notEqual(after, before);
    writeFileSync(LIST, after);
  });

  it('or: coinslot new-agent writes one file and its name in the list', async () => {
    const [before, list] = [agents(), readFileSync(LIST, 'utf8')];
    const said = await done(DIST, ['new-agent', 'tide-table']);
    assert.match(said, /docs\/add-an-agent\.md/, 'it says how to go on');
    assert.deepEqual(agents(), [...before, 'tide_table.rs'].sort());
    const names = (/** @type {string} */ text) => /^on_sale!\[([^\]]*)\];$/m.exec(text)?.[1]?.split(',').map((name) => name.trim());
    assert.deepEqual(names(readFileSync(LIST, 'utf8')), [...(names(list) ?? []), 'tide_table']);
  });

  it('it overwrites nothing, and takes no name that is none', async () => {
    const before = [agents(), readFileSync(LIST, 'utf8'), readFileSync(path.join(COPY, 'src/agents/tide_table.rs'), 'utf8')];
    for (const name of ['tide-table', 'tide_table', 'word-count', 'contract-xray', 'panel', 'match', 'Tide', '../tide']) {
      const { code, said } = await run(DIST, ['new-agent', name]);
      assert.equal(code, 1, name);
      assert.match(said, /^coinslot: /, name);
    }
    assert.deepEqual([agents(), readFileSync(LIST, 'utf8'), readFileSync(path.join(COPY, 'src/agents/tide_table.rs'), 'utf8')], before);
  });

  it('both are formatted', async () => {
    await done('rustfmt', ['--check', '--edition', '2024', 'src/agents/word_count.rs', 'src/agents/tide_table.rs']);
  });

  it('step 3 and 4: the page compiles, with no warning', async () => {
    // In the page's own profile, in which the linter has looked at its libraries already.
    const profile = PROFILE === 'dev' ? 'dev' : 'wasm-release';
    const page = ['--features', 'hydrate', '--lib', '--target', 'wasm32-unknown-unknown'];
    await done('cargo', ['clippy', '--locked', '--profile', profile, ...page, '--', '-D', 'warnings']);
  });

  // As it is sold, but for our own crate's optimisation, which is most of the time that it takes. Clippy is the compiler here, so that it need not
  // be compiled once more to be linted.
  it('the server builds, with no warning', async () => {
    const plain = ['--config', `profile.${PROFILE}.package.coinslot.opt-level=0`];
    await done('cargo', ['build', '--locked', '--profile', PROFILE, '--features', 'ssr', '--bin', 'coinslot', ...plain], {
      RUSTC_WORKSPACE_WRAPPER: 'clippy-driver',
      CLIPPY_ARGS: '-Dwarnings__CLIPPY_HACKERY__',
    });
  });

  it('a program buys both: 402, payment, answer, and the books balance', async () => {
    chain = await Chain.start();
    const port = await freePort();
    const payTo = '0x00000000000000000000000000000000c0175107';
    shop = new Shop('serve', port, {
      binary: path.join(TARGET, PROFILE === 'dev' ? 'debug' : PROFILE, 'coinslot'),
      settings: settings({ payTo, rpcUrl: chain.url, walletRpcUrl: chain.url }),
    });
    await shop.start();

    const buyer = new Buyer(shop.url, chain.url);
    await chain.fund(buyer.account.address);
    const cards = (await buyer.ask('/api/agents')).json;
    const { paths } = (await buyer.ask('/openapi.json')).json;
    await buyer.signIn();
    let taken = 0n;
    const both = /** @type {const} */ ([['word-count', 'Word count'], ['tide-table', 'Tide table']]);
    for (const [slug, name] of both) {
      const card = cards.find((/** @type {{ slug: string }} */ card) => card.slug === slug);
      assert.equal(card?.name, name, 'the shop window has it');
      assert.equal(card.inputSchema.properties.text.description, 'What to count.', 'its doc comments are what programs know of it');
      assert.ok(card.outputSchema.properties.longest);
      assert.ok(paths[`/api/x402/${slug}`].post['x-payment'].accepts.length > 0, 'OpenAPI has it, with its price');
      const page = await fetch(`${shop.url}/agents/${slug}`);
      assert.match(await page.text(), /<textarea[^>]* id="text"/, 'its page has its form');

      const nothing = await buyer.ask(`/api/x402/${slug}`, { method: 'POST', body: { text: '' } });
      assert.equal(nothing.status, 400, 'a bad input is refused before its price');
      assert.equal(nothing.json.code, 'invalid_input');

      const { answer, offer } = await buyer.buy(slug, card.example);
      assert.equal(answer.status, 200, answer.text);
      const headline = '5 words; the longest is “answer”.';
      assert.deepEqual(answer.json, { engine: 'computed', headline, words: 5, lines: 2, characters: 26, longest: 'answer' });
      assert.ok(answer.headers.get('payment-response'), 'the answer comes with its receipt');
      taken += BigInt(offer.amount);
      assert.equal(await chain.balance(payTo), taken);
    }

    await shop.stop();
    await shop.books();
  });
});
