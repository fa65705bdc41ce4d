// The programs of an agent's API tab, out of the page that the server sends.

import assert from 'node:assert/strict';
import { AGENT } from './stage.mjs';

/** @type {Record<string, string>} */
const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', '#x27': "'", '#39': "'" };

/** @param {string} shop @returns {Promise<Record<string, string>>} by the name of their language */
export async function printed(shop) {
  const page = await fetch(`${shop}/agents/${AGENT}`, { headers: { accept: 'text/html' } });
  assert.equal(page.status, 200);
  const html = await page.text();
  const found = html.matchAll(/<pre [^>]*data-snippet="(\w+)"[^>]*><code[^>]*>([^<]*)</g);
  return Object.fromEntries([...found].map(([, id, code]) => [id, plain(code ?? '')]));
}

/** @param {string} html text of an element that holds nothing else */
function plain(html) {
  return html.replace(/&(#?\w+);/g, (entity, name) => ENTITIES[name] ?? assert.fail(`what is ${entity}?`));
}
