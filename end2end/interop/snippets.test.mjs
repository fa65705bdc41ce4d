// The programs of an agent's API tab, as they are printed there: read from the page, written to a file, run with a payer's key.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { x402Client } from '@x402/core/client';
import { DEFAULT_ASSETS } from '@x402/evm';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { printed } from './page.mjs';
import { folder, python, receiptOf, run, Stage } from './stage.mjs';

/** The compiler of this suite, as strict as it is here: the snippet is TypeScript that a project takes as it is. */
const TSC = path.resolve(import.meta.dirname, '../node_modules/typescript/bin/tsc');
const STRICT = ['--strict', '--target', 'es2023', '--module', 'esnext', '--moduleResolution', 'bundler', '--types', 'node', '--skipLibCheck'];

describe('the snippets of the API tab', () => {
  /** @type {Stage} */
  let stage;
  /** @type {Awaited<ReturnType<typeof printed>>} */
  let snippets;
  /** @type {ReturnType<typeof folder>} */
  let here;
  before(async () => {
    stage = await Stage.open();
    snippets = await printed(stage.shop.url);
    here = folder();
  });
  after(async () => {
    here?.remove();
    await stage?.close();
  });

  /** @param {string} name @param {string} id */
  function written(name, id) {
    const file = path.join(here.directory, name);
    writeFileSync(file, snippets[id] ?? assert.fail(`the page has no snippet ${id}: ${Object.keys(snippets)}`));
    return file;
  }

  /** What each of them prints: the status, the receipt, the answer. @param {string} text @param {import('./stage.mjs').Payer} payer */
  async function bought(text, payer) {
    const [status, receipt, ...answer] = text.split('\n');
    assert.match(status ?? '', /^200\b/, text);
    const price = await stage.price('eip3009');
    await stage.sold({ payer, answer: JSON.parse(answer.join('\n')), receipt: receiptOf(receipt), price, of: /"findings"/ });
  }

  it('curl shows the price, and takes a payload that somebody else signed', async () => {
    const file = written('buy.sh', 'curl');
    const unpaid = await run('bash', [file]);
    assert.equal(unpaid.match(/HTTP\/1\.1 402 /g)?.length, 2, unpaid);

    const payer = await stage.market.payer();
    const price = await stage.price('eip3009');
    const client = x402Client.fromConfig({
      schemes: [{ network: stage.market.network, client: new ExactEvmScheme(payer.account) }],
      spendControls: { allowedAssets: [stage.allowed(price)] },
    });
    const required = /^payment-required: (\S+)/im.exec(unpaid)?.[1] ?? '';
    const payload = await client.createPaymentPayload(JSON.parse(Buffer.from(required, 'base64').toString()));
    const paid = await run('bash', [file], { env: { PAYMENT: Buffer.from(JSON.stringify(payload)).toString('base64') } });
    const [head, body] = paid.slice(paid.lastIndexOf('HTTP/1.1 200')).split('\r\n\r\n');
    const receipt = receiptOf(/^payment-response: (\S+)/im.exec(head ?? '')?.[1]);
    await stage.sold({ payer, answer: JSON.parse(body ?? ''), receipt, price, of: /"findings"/ });
  });

  it('TypeScript compiles without a word, and buys', async () => {
    const file = written('buy.ts', 'typescript');
    writeFileSync(path.join(here.directory, 'package.json'), '{ "type": "module" }');
    await run(process.execPath, [TSC, ...STRICT, file], { cwd: here.directory });
    const payer = await stage.market.payer();
    await bought(await run(process.execPath, [file.replace(/ts$/, 'js')], { env: { PRIVATE_KEY: payer.privateKey } }), payer);
  });

  it('Python buys', async () => {
    const payer = await stage.market.payer();
    await bought(await python(written('buy.py', 'python'), { PRIVATE_KEY: payer.privateKey }), payer);
  });

  it('what the page calls unknown to the clients is unknown to them, what it does not is known', () => {
    const monad = DEFAULT_ASSETS['eip155:143']?.map(({ asset }) => asset.toLowerCase());
    assert.deepEqual(monad, ['0x754704bc059f8c67012fed69bc8a327a5aafb603']);
    for (const network of ['eip155:10143', stage.market.network]) assert.equal(DEFAULT_ASSETS[network], undefined);
    assert.match(snippets.typescript ?? '', /pays nothing here/);
  });

  it('the books balance', () => stage.booksBalance());
});
