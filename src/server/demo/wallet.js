// The demo wallet: an EIP-1193 provider, announced by EIP-6963 beside whatever is installed. It asks the person in a sheet of its own and
// hands what was confirmed to the demo's own chain (`/demo/rpc`), whose node holds the key. `coinslot serve` has none of this.
(() => {
  "use strict";

  const ACCOUNT = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
  const CONNECTED = "coinslot-demo-wallet"; // in localStorage: this browser's pages may see the account
  const RELAYED = "coinslot-demo-wallet-relayed"; // in localStorage: the switch was on the last time
  const ICON =
    "data:image/svg+xml," +
    encodeURIComponent(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#0b6b5b"/>' +
        '<rect x="14" y="8" width="4" height="16" rx="2" fill="#fff"/></svg>',
    );

  const failure = (code, message) => Object.assign(new Error(message), { code });
  const rejected = () => failure(4001, "User rejected the request.");

  const listeners = new Map();
  const emit = (event, value) => {
    for (const listener of [...(listeners.get(event) ?? [])]) listener(value);
  };

  // ── the chain ─────────────────────────────────────────────────────────────────────────────────────────────────────────
  const call = async (method, params = []) => {
    let answer;
    try {
      const response = await fetch("/demo/rpc", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      });
      answer = await response.json();
    } catch {
      throw failure(-32603, "Failed to fetch");
    }
    if (answer.error) throw failure(answer.error.code ?? -32603, answer.error.message ?? String(answer.error));
    return answer.result;
  };

  // ── the person ────────────────────────────────────────────────────────────────────────────────────────────────────────
  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // Resolves when the person confirmed, rejects with 4001 when not. One question at a time; the next one waits.
  let last = Promise.resolve();
  const ask = (title, body) => {
    const answer = last.then(() => show(title, body));
    last = answer.catch(() => {});
    return answer;
  };

  const show = (title, body) =>
    new Promise((confirm, refuse) => {
      const sheet = element("dialog", "demo-wallet");
      sheet.setAttribute("aria-labelledby", "demo-wallet-name demo-wallet-title");
      const heading = element("h2", "", title);
      heading.id = "demo-wallet-title";
      heading.tabIndex = -1;
      const buttons = element("div", "demo-wallet-buttons");
      const no = element("button", "", "Cancel");
      const yes = element("button", "demo-wallet-confirm", "Confirm");
      no.type = yes.type = "button";
      buttons.append(no, yes);
      const name = element("p", "demo-wallet-name", "Demo wallet, play money");
      name.id = "demo-wallet-name";
      sheet.append(name, heading, ...body, buttons);
      let confirmed = false;
      yes.addEventListener("click", () => {
        confirmed = true;
        sheet.close();
      });
      no.addEventListener("click", () => sheet.close()); // Esc closes it too
      sheet.addEventListener("close", () => {
        sheet.remove();
        if (confirmed) confirm();
        else refuse(rejected());
      });
      document.body.append(sheet);
      sheet.showModal();
      heading.focus();
    });

  const facts = (rows) => {
    const list = element("dl");
    for (const [name, value] of rows) list.append(element("dt", "", name), element("dd", "", value));
    return list;
  };

  const units = (amount, decimals, symbol) => {
    const digits = amount.toString().padStart(decimals + 1, "0");
    const whole = digits.slice(0, digits.length - decimals);
    const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
    return `${whole}${fraction ? "." + fraction : ""} ${symbol}`;
  };
  const coins = (wei) => units(wei, 18, "MON");

  const readable = (message) => {
    if (!/^0x([0-9a-f]{2})*$/i.test(message)) return message;
    const bytes = Uint8Array.from(message.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return message;
    }
  };

  // ── what a page may ask ───────────────────────────────────────────────────────────────────────────────────────────────
  // A browser that stores nothing remembers until the page is left.
  const remembered = new Map();
  const is = (key) => {
    try {
      return localStorage.getItem(key) === "yes";
    } catch {
      return remembered.get(key) === true;
    }
  };
  const remember = (key, yes) => {
    remembered.set(key, yes);
    try {
      if (yes) localStorage.setItem(key, "yes");
      else localStorage.removeItem(key);
    } catch {
      // see above
    }
  };
  const isConnected = () => is(CONNECTED);
  const setConnected = (yes) => remember(CONNECTED, yes);
  let connecting = false;

  const accounts = () => (isConnected() ? [ACCOUNT] : []);

  const connect = async () => {
    if (isConnected()) return accounts();
    if (connecting) throw failure(-32002, "Request of type 'wallet_requestPermissions' already pending. Please wait.");
    connecting = true;
    try {
      await ask("Connect to this site?", [facts([["Site", location.host], ["Account", ACCOUNT]])]);
      setConnected(true);
      emit("accountsChanged", accounts());
      return accounts();
    } finally {
      connecting = false;
    }
  };

  const mustBeOurs = (address) => {
    const ours = isConnected() && typeof address === "string" && address.toLowerCase() === ACCOUNT;
    if (!ours) throw failure(4100, "The requested account and/or method has not been authorized by the user.");
  };

  const sign = async ([message, address]) => {
    mustBeOurs(address);
    await ask("Sign this message?", [element("pre", "", readable(String(message))), facts([["Site", location.host], ["Account", ACCOUNT]])]);
    return call("personal_sign", [message, ACCOUNT]);
  };

  // What a token calls itself, from the chain: what the page says about it is not believed.
  const token = async (address) => {
    const read = (data) => call("eth_call", [{ to: address, data }, "latest"]);
    try {
      const [symbol, decimals] = await Promise.all([read("0x95d89b41"), read("0x313ce567")]); // symbol(), decimals()
      const words = symbol.slice(2).match(/.{64}/g) ?? [];
      return { symbol: readable("0x" + words.slice(2).join("").slice(0, 2 * Number("0x" + words[1]))), decimals: Number(decimals) };
    } catch {
      return { symbol: "units of an unknown token", decimals: 0 };
    }
  };

  // The two kinds of signature that pay a token, told as what they do. `null`: it is another, and shown as it is.
  const payment = async ({ primaryType, domain = {}, message = {} }) => {
    const isTransfer = primaryType === "TransferWithAuthorization";
    if (!isTransfer && primaryType !== "PermitWitnessTransferFrom") return null;
    const { place, amount, to, until } = isTransfer
      ? { place: domain.verifyingContract, amount: message.value, to: message.to, until: message.validBefore }
      : { place: message.permitted?.token, amount: message.permitted?.amount, to: message.witness?.to, until: message.deadline };
    try {
      const { symbol, decimals } = await token(place);
      return [
        ["Amount", units(BigInt(amount), decimals, symbol)],
        ["To", String(to)],
        ["Token", String(place)],
        ["Valid until", new Date(Number(until) * 1000).toLocaleString()],
        ["Network fee", "None for you: whoever settles the payment pays it"],
      ];
    } catch {
      return null; // no amount: not what it says it is
    }
  };

  const signTyped = async ([address, asked]) => {
    mustBeOurs(address);
    let data = asked;
    try {
      if (typeof asked === "string") data = JSON.parse(asked);
    } catch {
      data = null;
    }
    if (typeof data?.primaryType !== "string" || typeof data.message !== "object" || typeof data.types !== "object") {
      throw failure(-32602, "Invalid parameters: expected typed data (EIP-712).");
    }
    const chain = BigInt(await call("eth_chainId"));
    const meant = data.domain?.chainId;
    if (meant !== undefined && BigInt(meant) !== chain) {
      throw failure(-32603, `Provided chainId "${meant}" must match the active chainId "${chain}"`);
    }
    const told = await payment(data);
    const site = ["Site", location.host];
    if (told) await ask("Sign this payment?", [facts([...told, site])]);
    else {
      const shown = JSON.stringify({ [data.primaryType]: data.message }, null, 2);
      await ask("Sign this message?", [element("pre", "", shown), facts([["For", String(data.domain?.name ?? "not said")], site, ["Account", ACCOUNT]])]);
    }
    return call("eth_signTypedData_v4", [ACCOUNT, data]);
  };

  const send = async ([asked = {}]) => {
    mustBeOurs(asked.from);
    const { to, value = "0x0", data = asked.input, gas = "0x5208" } = asked;
    const price = BigInt(asked.maxFeePerGas ?? asked.gasPrice ?? (await call("eth_gasPrice")));
    const rows = (fee) => [
      ["Amount", coins(BigInt(value))],
      ["To", to ?? "a new contract"],
      ["Network fee", fee],
      ["Site", location.host],
      ...(data && data !== "0x" ? [["Data", data]] : []),
    ];
    const own = `${coins(BigInt(gas) * price)} at most`;
    // What sponsors take over is a plain payment.
    if (!to || (data && data !== "0x")) {
      await ask("Pay?", [facts(rows(own))]);
      return call("eth_sendTransaction", [{ from: ACCOUNT, to, value, gas, ...(data ? { data } : {}) }]);
    }
    const relay = element("input");
    relay.type = "checkbox";
    relay.checked = is(RELAYED);
    const label = element("label", "demo-wallet-switch");
    label.append(relay, element("span", "", "Pay through a relayer, as MetaMask’s gas sponsorship does"));
    const shown = element("div");
    const fill = () => shown.replaceChildren(facts(rows(relay.checked ? "None for you: the relayer pays it" : own)));
    relay.addEventListener("change", fill);
    fill();
    await ask("Pay?", [shown, label]);
    remember(RELAYED, relay.checked);
    return relay.checked ? relayed(to, value) : call("eth_sendTransaction", [{ from: ACCOUNT, to, value, gas }]);
  };

  // The account lends itself a contract's code (EIP-7702), and somebody else sends the payment: the answer is the hash of their transaction.
  const relayed = async (to, value) => {
    let answer;
    try {
      const response = await fetch("/demo/relay", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ to, value }),
      });
      answer = await response.json();
    } catch {
      throw failure(-32603, "Failed to fetch");
    }
    if (!answer.transaction) throw failure(-32603, answer.error ?? "The relayer does not answer.");
    return answer.transaction;
  };

  // It knows one network and is always on it.
  const switchTo = async ([asked = {}], unknown) => {
    const chain = await call("eth_chainId");
    let same = false;
    try {
      same = BigInt(asked.chainId) === BigInt(chain);
    } catch {
      throw failure(-32602, "Expected 0x-prefixed, unpadded, non-zero hexadecimal string 'chainId'.");
    }
    if (!same) throw unknown(asked.chainId);
    return null;
  };

  const methods = {
    eth_requestAccounts: connect,
    eth_accounts: async () => accounts(),
    eth_coinbase: async () => accounts()[0] ?? null,
    personal_sign: sign,
    eth_signTypedData_v4: signTyped,
    eth_sendTransaction: send,
    wallet_switchEthereumChain: (params) =>
      switchTo(params, (chain) =>
        failure(4902, `Unrecognized chain ID "${chain}". Try adding the chain using wallet_addEthereumChain first.`),
      ),
    wallet_addEthereumChain: (params) => switchTo(params, () => failure(4200, "The demo wallet knows the demo's own network only.")),
    wallet_requestPermissions: async () => {
      await connect();
      return [{ parentCapability: "eth_accounts" }];
    },
    wallet_revokePermissions: async () => {
      setConnected(false);
      emit("accountsChanged", []);
      return null;
    },
  };

  const READS = new Set([
    "eth_blockNumber", "eth_call", "eth_chainId", "eth_estimateGas", "eth_feeHistory", "eth_gasPrice", "eth_getBalance", "eth_getBlockByHash",
    "eth_getBlockByNumber", "eth_getCode", "eth_getStorageAt", "eth_getTransactionByHash", "eth_getTransactionCount",
    "eth_getTransactionReceipt", "eth_maxPriorityFeePerGas", "net_version", "web3_clientVersion",
  ]);

  const provider = {
    async request({ method, params } = {}) {
      const list = Array.isArray(params) ? params : params === undefined ? [] : [params];
      if (Object.hasOwn(methods, method)) return methods[method](list);
      if (READS.has(method)) return call(method, list);
      throw failure(-32601, `The method "${method}" does not exist / is not available.`);
    },
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
      return provider;
    },
    removeListener(event, listener) {
      listeners.set(event, (listeners.get(event) ?? []).filter((known) => known !== listener));
      return provider;
    },
  };

  // ── here it is (EIP-6963) ─────────────────────────────────────────────────────────────────────────────────────────────
  const looks = element("link");
  looks.rel = "stylesheet";
  looks.href = "/demo/wallet.css";
  document.head.append(looks);

  const info = Object.freeze({ uuid: "8a1f6c62-6d3c-4c0e-9d6e-0c0157070000", name: "Demo wallet", icon: ICON, rdns: "org.coinslot.demo" });
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
