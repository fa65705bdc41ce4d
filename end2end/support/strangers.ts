// What others do to a page that is not theirs: a browser's translation, and extensions.

import type { Page } from '@playwright/test';

/** How a translation takes hold of a text. */
export type Translation =
  /** As Chrome does: the text goes, two elements with other words come in its place. */
  | 'replaced'
  /** The text itself is put into what is around it. */
  | 'moved'
  /** As `replaced`, piece by piece, and again for everything that comes later. */
  | 'kept up';

/** Puts brackets around every word of the page: its other language. */
export async function translate(page: Page, how: Translation) {
  await page.evaluate((how) => {
    const wrap = (text: Text) => {
      if (!text.data.trim() || text.parentElement?.closest('font, script, style, textarea')) return;
      const [outer, inner] = [document.createElement('font'), document.createElement('font')];
      outer.append(inner);
      if (how === 'moved') {
        text.replaceWith(outer);
        inner.append(text);
        return;
      }
      inner.textContent = `[${text.data.trim()}]`;
      if (how === 'replaced') text.replaceWith(outer);
      else {
        text.before(outer);
        text.remove();
      }
    };
    const all = (root: Node) => {
      const texts: Text[] = [];
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      for (let node: Node | null = root instanceof Text ? root : walker.nextNode(); node; node = walker.nextNode()) texts.push(node as Text);
      texts.forEach(wrap);
    };
    all(document.body);
    if (how !== 'kept up') return;
    new MutationObserver((records) => {
      for (const { type, target, addedNodes } of records) {
        if (type === 'characterData') wrap(target as Text);
        addedNodes.forEach(all);
      }
    }).observe(document.body, { childList: true, characterData: true, subtree: true });
  }, how);
}

/** When an extension comes. */
export type Moment = 'as the parser goes' | 'when it was parsed' | 'while the program loads';

/** From now on, every page that is opened gets an extension's nodes: first in body and in main, beside fields, in between, behind. */
export async function extend(page: Page, moment: Moment) {
  await page.addInitScript((moment) => {
    const made = (name: string, text = '') => {
      const node = document.createElement(name);
      node.className = 'stranger';
      node.textContent = text;
      return node;
    };
    const put = () => {
      const [body, main] = [document.body, document.querySelector('main')];
      if (body && !body.querySelector(':scope > .stranger')) body.prepend(made('div', 'Shop safely!'));
      if (main && !main.querySelector(':scope > .stranger')) main.prepend(made('p'), made('coupon-finder'));
      for (const field of document.querySelectorAll('main input[type=text], main textarea')) {
        if (field.nextElementSibling?.className !== 'stranger') field.after(made('span'));
        if (field.previousElementSibling?.className !== 'stranger') field.before(made('button', '🔑'));
      }
      for (const button of document.querySelectorAll('main form .buttons, main dl, header nav')) {
        if (button.firstElementChild?.className !== 'stranger') button.prepend(made('i'));
      }
    };
    if (moment === 'as the parser goes') {
      const watch = new MutationObserver(put);
      watch.observe(document, { childList: true, subtree: true });
      document.addEventListener('DOMContentLoaded', () => watch.disconnect());
    } else if (moment === 'when it was parsed') {
      document.addEventListener('DOMContentLoaded', () => put());
    } else {
      document.addEventListener('DOMContentLoaded', () => setTimeout(put));
    }
  }, moment);
}
