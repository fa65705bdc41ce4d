// The API tab's Rust program, as it is printed. Not in `make test`: it compiles a client of its own, which takes minutes (make interop).

import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { printed } from '../page.mjs';
import { receiptOf, run, Stage } from '../stage.mjs';

const TARGET = path.resolve(process.env.CARGO_TARGET_DIR ?? path.join(import.meta.dirname, '../../../target'), 'interop');
const PROJECT = path.join(TARGET, 'buy');

describe('the Rust snippet of the API tab', () => {
  /** @type {Stage} */
  let stage;
  before(async () => {
    stage = await Stage.open();
    rmSync(PROJECT, { recursive: true, force: true });
    mkdirSync(PROJECT, { recursive: true });
    for (const name of ['Cargo.toml', 'Cargo.lock']) cpSync(path.join(import.meta.dirname, name), path.join(PROJECT, name));
  });
  after(() => stage?.close());

  it('compiles', async () => {
    const { rust } = await printed(stage.shop.url);
    writeFileSync(path.join(PROJECT, 'main.rs'), rust ?? assert.fail('the page has no Rust'));
    // Minutes, the first time: cargo says what it does.
    const child = spawn('cargo', ['build', '--locked', '--target-dir', TARGET], { cwd: PROJECT, stdio: 'inherit' });
    assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0);
  });

  it('buys', async () => {
    const payer = await stage.market.payer();
    const text = await run(path.join(TARGET, 'debug/buy'), [], { env: { PRIVATE_KEY: payer.privateKey } });
    const [status, receipt, ...answer] = text.split('\n');
    assert.match(status ?? '', /^200\b/, text);
    const header = /^Some\("(\S+)"\)$/.exec(receipt ?? '')?.[1];
    const price = await stage.price('eip3009');
    await stage.sold({ payer, answer: JSON.parse(answer.join('\n')), receipt: receiptOf(header), price, of: /"findings"/ });
  });

  it('the books balance', () => stage.booksBalance());
});
