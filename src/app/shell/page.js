// Brings the page to life, and keeps it alive in a document that others write in too: extensions put their own nodes into it, translations put
// other nodes in place of its words. The program takes the server's document over node by node, and then holds on to the nodes it took.
//
// It runs first of all, in the head. Lines that only say something are not sent.
(files) => {
  "use strict";
  const everything = { childList: true, characterData: true, subtree: true };
  const isText = (node) => node.nodeType === Node.TEXT_NODE;

  // ── A run's key stands behind the #, where no server and no log sees it. This page alone hands it over, in a cookie of its path ──────────
  const key = /^#key=([0-9a-zA-Z]{1,64})$/.exec(location.hash)?.[1];
  const isHandedOver = () => document.cookie.split("; ").includes(`coinslot-key=${key}`);
  if (key && !isHandedOver()) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `coinslot-key=${key}; path=${location.pathname}; max-age=60; samesite=lax${secure}`;
    if (isHandedOver()) return location.reload();
  }

  // ── Until the program is there: what is done to the document is written down ──────────────────────────────────────────────────────────────
  let log = [];
  const recorder = new MutationObserver((records) => {
    log = log.concat(records);
  });
  recorder.observe(document, { ...everything, characterDataOldValue: true });

  // Undoes, newest first, what was not the parser's. Gives what does it again, as far as somebody has only added something.
  const asTheServerSentIt = () => {
    log = log.concat(recorder.takeRecords());
    recorder.disconnect();
    const end = document.getElementById("page-end");
    const has = (nodes, node) => Array.prototype.includes.call(nodes, node);
    // Everything of ours is there when its last node is. Until then the parser writes too: it only ever appends.
    const whole = log.findIndex((record) => has(record.addedNodes, end));
    const follows = (node) => node.isConnected && end.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING;
    const added = [];
    const restored = new Set();
    for (let at = log.length; at-- > 0; ) {
      const { type, target, addedNodes, removedNodes, previousSibling, nextSibling, oldValue } = log[at];
      const byParser = (whole < 0 || at <= whole) && !removedNodes.length && !nextSibling;
      if (byParser || !document.body.contains(target)) continue;
      if (type === "characterData") {
        if (whole >= 0 && at > whole) target.data = oldValue;
        continue;
      }
      // Behind our last node anybody may write: the parser does.
      if (end && has(document.body.childNodes, addedNodes[0]) && follows(addedNodes[0])) continue;
      const mine = [...addedNodes].filter((node) => node.parentNode === target);
      mine.forEach((node) => node.remove());
      const isHere = (node) => node?.parentNode === target;
      const before = isHere(nextSibling) ? nextSibling : isHere(previousSibling) ? previousSibling.nextSibling : target.firstChild;
      removedNodes.forEach((node) => {
        target.insertBefore(node, before);
        restored.add(node);
      });
      if (!removedNodes.length) added.push({ target, mine, nextSibling, beside: [previousSibling, nextSibling] });
      // Where it stood, the parser may have begun a second node for one text.
      if (at <= whole) target.normalize();
    }
    return () => {
      for (const { target, mine, nextSibling, beside } of added.reverse()) {
        // What stood in place of words stands there no more: they are back.
        if (!target.isConnected || beside.some((node) => restored.has(node))) continue;
        for (const node of mine.filter((node) => !node.isConnected && !isText(node))) {
          target.insertBefore(node, nextSibling?.parentNode === target ? nextSibling : null);
        }
      }
    };
  };

  // ── From then on: the program's own texts stay where it put them ──────────────────────────────────────────────────────────────────────────
  // A translation takes a text away and puts another node in its place. The program would go on changing what nobody sees. So the text comes back,
  // empty, beside its stand-in; and when the program changes it, or takes it away, the stand-in goes.
  const keepTexts = () => {
    const standIns = new WeakMap(); // of a text
    const texts = new WeakMap(); // of a stand-in
    const words = new WeakMap(); // of an emptied text
    const pair = (text, standIn) => {
      standIns.set(text, standIn);
      texts.set(standIn, text);
    };
    const part = (text) => {
      const standIn = standIns.get(text);
      standIns.delete(text);
      if (standIn) texts.delete(standIn);
      return standIn;
    };
    const fits = (node, other) =>
      node && node !== other && node.isConnected && !texts.has(node) && (node.nodeType === Node.ELEMENT_NODE || (isText(node) && node.data.trim() !== ""));
    // What was put where `node` was, whatever came first: putting or taking.
    const inPlaceOf = (node, { target, addedNodes, previousSibling, nextSibling }, fresh) => {
      const beside = [previousSibling, nextSibling].filter((sibling) => fresh.has(sibling));
      const same = [...fresh].filter(([, by]) => by.target === target && by.previousSibling === previousSibling && by.nextSibling === nextSibling);
      return [...addedNodes, ...beside, ...same.map(([added]) => added)].find((candidate) => fits(candidate, node));
    };
    const watch = new MutationObserver((records) => {
      const [fresh, gone, changed] = [new Map(), new Map(), new Set()];
      for (const record of records) {
        if (record.type === "characterData") changed.add(record.target);
        record.addedNodes.forEach((node) => fresh.set(node, record));
        record.removedNodes.forEach((node) => gone.set(node, record));
      }
      for (const text of changed) {
        const standIn = part(text);
        words.delete(text);
        if (text.isConnected) standIn?.remove();
        else standIn?.replaceWith(text);
      }
      for (const [node, record] of gone) {
        if (node.isConnected) continue;
        const replacement = inPlaceOf(node, record, fresh);
        const text = texts.get(node);
        if (text) {
          // Translated again, or not at all any more.
          part(text);
          if (replacement) pair(text, replacement);
          else if (!fresh.has(text)) text.remove();
        } else if (standIns.has(node)) {
          // The program took it away; or somebody has wrapped nothing: then it is only listened to.
          if (replacement && !replacement.textContent) watch.observe(node, { characterData: true });
          else part(node).remove();
        } else if (isText(node) && replacement) {
          words.set(node, node.data);
          node.data = "";
          replacement.before(node);
          pair(node, replacement);
        }
      }
      for (const node of fresh.keys()) {
        // Put back by whoever took it away.
        if (isText(node) && node.isConnected && node.data === "" && words.has(node)) {
          part(node);
          node.data = words.get(node);
        }
      }
      watch.takeRecords();
    });
    watch.observe(document.body, everything);
  };

  // ── The start ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  const parsed = new Promise((done) => document.addEventListener("DOMContentLoaded", done));
  const program = (url) => import(url).then((made) => made.default({ module_or_path: files.wasm }).then(() => made));

  // Takes the document over. A program that stumbles is dead: nothing that it began is to go on.
  const hydrate = (made) => {
    const { addEventListener } = EventTarget.prototype;
    const { queueMicrotask } = window;
    const [listeners, tasks] = [[], []];
    EventTarget.prototype.addEventListener = function (...given) {
      listeners.push([this ?? window, given]);
      return addEventListener.apply(this ?? window, given);
    };
    window.queueMicrotask = (task) => tasks.push(task);
    try {
      made.hydrate();
    } catch (cause) {
      listeners.forEach(([target, given]) => target.removeEventListener(...given));
      return cause;
    } finally {
      EventTarget.prototype.addEventListener = addEventListener;
      window.queueMicrotask = queueMicrotask;
    }
    tasks.forEach((task) => queueMicrotask(task));
  };

  Promise.all([program(files.js), parsed])
    .then(async ([made]) => {
      const again = asTheServerSentIt();
      const cause = hydrate(made);
      if (cause) {
        // The document is not what the server sent, in a way that nobody saw: it is made anew, by another copy of the program.
        console.warn("The page is drawn anew.", cause);
        const other = await program(`${files.js}?anew`);
        document.body.replaceChildren();
        other.draw();
      }
      keepTexts();
      setTimeout(again);
    })
    .catch((cause) => {
      document.documentElement.dataset.failed = "true";
      console.error(cause);
    });
}
