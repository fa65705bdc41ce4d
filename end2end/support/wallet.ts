// A wallet that answers what MetaMask 13 answers: its codes, its silences and its questions.
//
// The page sees a provider of twenty lines (`announce`) that forwards to this process; keys, chain and the person are
// here. So the page's CSP stands as it does with a real extension, one wallet serves all tabs, and a question that was
// asked stays open when its page is gone. What the person does is a rule per method: a queue (`next`), then a standing
// one (`always`), then approval.

import type { BrowserContext, Page } from '@playwright/test';
import { createWalletClient, hexToString, http, type Hex, type PrivateKeyAccount } from 'viem';
import { CHAIN_ID } from './chain.mjs';
import { freshAccount, viemChain } from './buyer.mjs';
import { relay } from './relay.ts';

export type RpcError = { code: number | string; message: string; data?: unknown; cause?: unknown; info?: unknown };
type Reply = { result: unknown } | { error: RpcError };
/** What `eth_signTypedData_v4` takes, as JSON text. */
export type TypedData = {
  types: Record<string, { name: string; type: string }[]>;
  primaryType: string;
  domain: { name: string; version: string; chainId: number; verifyingContract: Hex };
  message: Record<string, string>;
};
type Transaction = { from: Hex; to: Hex; value?: Hex; gas?: Hex; data?: Hex; chainId?: Hex };

export type Rule =
  | 'approve'
  | 'reject'
  /** Nobody has clicked yet: `question()` gives the open question. */
  | 'hold'
  | { error: RpcError }
  | { result: unknown }
  /** Approves, and pays from another account than it was asked to. */
  | { payFrom: PrivateKeyAccount }
  /** Approves, and has somebody else send the payment and bear its gas, as MetaMask does on Monad: see relay.ts. */
  | 'relay'
  /** The same, and answers with the id of a bundle, which no node knows. */
  | { bundle: Hex };

export type Announcement = {
  rdns?: string;
  name?: string;
  icon?: string;
  /** `legacy`: only `window.ethereum`, as wallets did before EIP-6963. */
  how?: 'at once' | 'twice' | 'late' | 'legacy';
};

const ICON = 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><circle cx="4" cy="4" r="4" fill="orange"/></svg>';

const REJECTED = { code: 4001, message: 'User rejected the request.', data: { location: 'confirmation', cause: null } };
const SAYS = {
  connectRefused: { code: 4001, message: 'User rejected the request.' },
  signatureRefused: REJECTED,
  paymentRefused: { ...REJECTED, message: 'MetaMask Tx Signature: User denied transaction signature.' },
  alreadyAsked: { code: -32002, message: "Request of type 'wallet_requestPermissions' already pending. Please wait." },
  notPermitted: { code: 4100, message: 'The requested account and/or method has not been authorized by the user.' },
  nodeGone: { code: -32603, message: 'Failed to fetch' },
} satisfies Record<string, RpcError>;

/** What it hands to its node without asking anybody. */
const READS = new Set([
  'eth_blockNumber', 'eth_call', 'eth_estimateGas', 'eth_feeHistory', 'eth_gasPrice', 'eth_getBalance', 'eth_getBlockByNumber',
  'eth_getCode', 'eth_getTransactionByHash', 'eth_getTransactionCount', 'eth_getTransactionReceipt', 'eth_maxPriorityFeePerGas',
]);

/** Built in and permitted on connecting: it switches there without a question. */
const BUILT_IN = [1, 10, 56, 137, 143, 8453, 42161, 59144];

/** Open until somebody clicks, whatever became of the page that asked. */
export class Question {
  readonly done: Promise<boolean>;
  #answer!: (approved: boolean) => void;

  constructor(readonly method: string, readonly params: unknown[]) {
    this.done = new Promise((resolve) => (this.#answer = resolve));
  }

  approve() {
    this.#answer(true);
  }

  reject() {
    this.#answer(false);
  }
}

export class Wallet {
  accounts: PrivateKeyAccount[] = [freshAccount()];
  chainId = CHAIN_ID;
  readonly known = new Set([...BUILT_IN, CHAIN_ID]);
  /** Every request of every page. */
  readonly requests: { method: string; params: unknown[] }[] = [];
  /** The methods for which a window opened. */
  readonly windows: string[] = [];
  /** What it warned the person about, in red. */
  readonly alerts: string[] = [];
  /** Signatures it gave, without their `0x`: they must not show up in a log. */
  readonly signatures: string[] = [];
  /** Hashes of the payments it sent. */
  readonly sent: Hex[] = [];

  readonly #context: BrowserContext;
  readonly #rdns: string;
  #rpcUrl: string;
  #permitted = false;
  #locked = false;
  #unlocked = Promise.resolve();
  #unlock = () => {};
  #queue = new Map<string, Rule[]>();
  #standing = new Map<string, Rule>();
  #open: Question[] = [];
  #asked: (() => void)[] = [];
  /** Payments and signatures are asked one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(context: BrowserContext, rdns: string, rpcUrl: string) {
    this.#context = context;
    this.#rdns = rdns;
    this.#rpcUrl = rpcUrl;
  }

  /** Puts a wallet into every page of the context that is opened from now on. */
  static async install(context: BrowserContext, rpcUrl: string, announcement: Announcement = {}): Promise<Wallet> {
    const { rdns = 'io.metamask', name = 'MetaMask', icon = ICON, how = 'at once' } = announcement;
    const wallet = new Wallet(context, rdns, rpcUrl);
    const binding = `__wallet_${rdns.replaceAll('.', '_')}`;
    await context.exposeBinding(binding, ({ page }, method: string, params: unknown[]) => wallet.#answer(page, method, params));
    await context.addInitScript(announce, { binding, rdns, name, icon, how });
    return wallet;
  }

  get account(): PrivateKeyAccount {
    return this.accounts[0]!;
  }

  get address(): Hex {
    return this.account.address.toLowerCase() as Hex;
  }

  // What the person does.

  next(method: string, ...rules: Rule[]) {
    this.#queue.set(method, [...(this.#queue.get(method) ?? []), ...rules]);
  }

  always(method: string, rule: Rule) {
    this.#standing.set(method, rule);
  }

  /** The question that is open, as soon as one is. */
  async question(method: string): Promise<Question> {
    for (;;) {
      const question = this.#open.find((open) => open.method === method);
      if (question) return question;
      await new Promise<void>((resolve) => this.#asked.push(resolve));
    }
  }

  /** Connected to this site on another day. */
  permit() {
    this.#permitted = true;
  }

  /** Another account becomes the active one. */
  async select(account: PrivateKeyAccount) {
    this.accounts = [account, ...this.accounts.filter((other) => other !== account)];
    await this.#emit('accountsChanged', [this.address]);
  }

  /** Connected in the wallet's own window, whatever became of the question. */
  async connectByItself() {
    this.#permitted = true;
    await this.#emit('accountsChanged', [this.address]);
  }

  async disconnect() {
    this.#permitted = false;
    await this.#emit('accountsChanged', []);
  }

  /** No event, and `eth_accounts` still tells the address: the page cannot know. */
  lock() {
    this.#locked = true;
    this.#unlocked = new Promise((resolve) => (this.#unlock = resolve));
  }

  unlock() {
    this.#locked = false;
    this.#unlock();
  }

  /** The person picks another network in the wallet. */
  async switchTo(chainId: number) {
    this.chainId = chainId;
    await this.#emit('chainChanged', hex(chainId));
  }

  async loseNode() {
    await this.#emit('disconnect', { code: 1013, message: 'Disconnected. Attempting to connect.' });
  }

  asked(method: string): unknown[][] {
    return this.requests.filter((request) => request.method === method).map(({ params }) => params);
  }

  // What the page is answered.

  async #answer(page: Page, method: string, params: unknown[]): Promise<Reply> {
    this.requests.push({ method, params });
    try {
      return { result: await this.#handle(page, method, params) };
    } catch (error) {
      // A thrown error would lose its code on the bridge.
      return { error: error instanceof WalletError ? error.rpc : { code: -32603, message: String(error) } };
    }
  }

  async #handle(page: Page, method: string, params: unknown[]): Promise<unknown> {
    switch (method) {
      case 'eth_chainId':
        return hex(this.chainId);
      case 'eth_accounts':
        return this.#permitted ? [this.address] : [];
      case 'eth_requestAccounts':
        return this.#connect();
      case 'personal_sign':
        return this.#inTurn(() => this.#sign(page, params as [Hex, Hex]));
      case 'eth_signTypedData_v4':
        return this.#inTurn(() => this.#signTyped(params as [Hex, string]));
      case 'wallet_switchEthereumChain':
        return this.#switch(params as [{ chainId: Hex }]);
      case 'wallet_addEthereumChain':
        return this.#add(params as [{ chainId: Hex; rpcUrls: string[] }]);
      case 'eth_sendTransaction':
        return this.#inTurn(() => this.#send(params as [Transaction]));
      default:
        if (READS.has(method)) return this.#node(method, params);
        throw new WalletError({ code: -32601, message: `The method "${method}" does not exist / is not available.` });
    }
  }

  async #connect(): Promise<Hex[]> {
    if (this.#permitted && !this.#locked) return [this.address];
    if (this.#open.some(({ method }) => method === 'eth_requestAccounts')) throw new WalletError(SAYS.alreadyAsked);
    await this.#ask('eth_requestAccounts', [], SAYS.connectRefused);
    this.#permitted = true;
    return [this.address];
  }

  async #sign(page: Page, [message, from]: [Hex, Hex]): Promise<Hex> {
    this.#mustBePermitted(from);
    const text = hexToString(message);
    const domain = / wants you to sign in with your Ethereum account:/.exec(text) && text.split(' ')[0];
    const host = new URL(page.url()).host;
    if (domain && domain !== host) this.alerts.push(`${host} asks to sign in to ${domain}`);
    await this.#ask('personal_sign', [text, from], SAYS.signatureRefused);
    const signature = await this.account.signMessage({ message: { raw: message } });
    this.signatures.push(signature.slice(2));
    return signature;
  }

  /** For the active chain and the active account; for any other, an error without a question. */
  async #signTyped([from, json]: [Hex, string]): Promise<Hex> {
    this.#mustBePermitted(from);
    const data = JSON.parse(json) as TypedData;
    if (BigInt(data.domain.chainId) !== BigInt(this.chainId)) {
      const message = `Provided chainId "${data.domain.chainId}" must match the active chainId "${this.chainId}"`;
      throw new WalletError({ code: -32603, message });
    }
    await this.#ask('eth_signTypedData_v4', [from, data], SAYS.signatureRefused);
    const signature = await this.account.signTypedData(data);
    this.signatures.push(signature.slice(2));
    return signature;
  }

  async #switch([{ chainId }]: [{ chainId: Hex }]): Promise<unknown> {
    const wanted = Number(chainId);
    if (!this.known.has(wanted)) {
      const message = `Unrecognized chain ID "${chainId}". Try adding the chain using wallet_addEthereumChain first.`;
      throw new WalletError({ code: 4902, message });
    }
    if (!BUILT_IN.includes(wanted)) {
      const rule = await this.#ask('wallet_switchEthereumChain', [{ chainId }], SAYS.connectRefused);
      // Says so, and stays where it is.
      if (typeof rule === 'object' && 'result' in rule) return rule.result;
    }
    if (wanted !== this.chainId) await this.switchTo(wanted);
    return null;
  }

  /** One question, then switched too; the events come after the answer. */
  async #add([chain]: [{ chainId: Hex; rpcUrls: string[] }]): Promise<null> {
    await this.#ask('wallet_addEthereumChain', [chain], SAYS.connectRefused);
    this.known.add(Number(chain.chainId));
    this.#rpcUrl = chain.rpcUrls[0] ?? this.#rpcUrl;
    this.chainId = Number(chain.chainId);
    setTimeout(() => {
      void this.#emit('connect', { chainId: chain.chainId });
      void this.#emit('chainChanged', chain.chainId);
    });
    return null;
  }

  /** Asked on the active chain, whatever `chainId` says; the page's own look is all that protects it. */
  async #send([transaction]: [Transaction]): Promise<Hex> {
    this.#mustBePermitted(transaction.from);
    await this.#node('eth_chainId', []).catch(async () => {
      await this.loseNode();
      throw new WalletError(SAYS.nodeGone);
    });
    const rule = await this.#ask('eth_sendTransaction', [transaction], SAYS.paymentRefused);
    if (rule === 'relay' || (typeof rule === 'object' && 'bundle' in rule)) {
      const hash = await relay(this.chainId, this.#rpcUrl, this.account, transaction.to, BigInt(transaction.value ?? 0));
      this.sent.push(hash);
      return rule === 'relay' ? hash : rule.bundle;
    }
    const account = typeof rule === 'object' && 'payFrom' in rule ? rule.payFrom : this.account;
    const hash = await createWalletClient({
      account,
      chain: viemChain(this.chainId, this.#rpcUrl),
      transport: http(this.#rpcUrl, { retryCount: 0 }),
    }).sendTransaction({
      to: transaction.to,
      value: BigInt(transaction.value ?? 0),
      ...(transaction.gas && { gas: BigInt(transaction.gas) }),
      ...(transaction.data && { data: transaction.data }),
    });
    this.sent.push(hash);
    return hash;
  }

  #mustBePermitted(account: string) {
    if (!this.#permitted || account.toLowerCase() !== this.address) throw new WalletError(SAYS.notPermitted);
  }

  /** Follows the person's rule. Throws what the wallet says on a refusal. */
  async #ask(method: string, params: unknown[], refusal: RpcError): Promise<Rule> {
    this.windows.push(method);
    await this.#unlocked;
    const rule = this.#queue.get(method)?.shift() ?? this.#standing.get(method) ?? 'approve';
    if (typeof rule === 'object' && 'error' in rule) throw new WalletError(rule.error);
    let approved = rule !== 'reject';
    if (rule === 'hold') {
      const question = new Question(method, params);
      this.#open.push(question);
      this.#asked.splice(0).forEach((tell) => tell());
      approved = await question.done;
      this.#open = this.#open.filter((open) => open !== question);
    }
    if (!approved) throw new WalletError(refusal);
    return rule;
  }

  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(ask, ask);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #node(method: string, params: unknown[]): Promise<unknown> {
    const answer = await fetch(this.#rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    }).catch(() => {
      throw new WalletError(SAYS.nodeGone);
    });
    const { result, error } = (await answer.json()) as { result: unknown; error?: RpcError };
    if (error) throw new WalletError(error);
    return result;
  }

  async #emit(event: string, payload: unknown) {
    const pages = this.#context.pages().map((page) =>
      page.evaluate(
        ([rdns, name, value]) => window.dispatchEvent(new CustomEvent(`wallet:${rdns}:${name}`, { detail: value })),
        [this.#rdns, event, payload] as const,
      ),
    );
    // A page that is just being loaded hears nothing, as with a real wallet.
    await Promise.allSettled(pages);
  }
}

class WalletError extends Error {
  constructor(readonly rpc: RpcError) {
    super(rpc.message);
  }
}

function hex(chainId: number): Hex {
  return `0x${chainId.toString(16)}`;
}

/** Runs in the page, before anything else does. */
function announce(wallet: { binding: string; rdns: string; name: string; icon: string; how: string }) {
  const ask = (window as unknown as Record<string, (method: string, params: unknown[]) => Promise<Reply>>)[wallet.binding]!;
  const heard = new Map<unknown, EventListener>();
  const provider = {
    isMetaMask: true,
    async request({ method, params = [] }: { method: string; params?: unknown[] }) {
      const reply = await ask(method, params);
      if ('error' in reply) throw Object.assign(new Error(reply.error.message), reply.error);
      return reply.result;
    },
    on(event: string, listener: (value: unknown) => void) {
      heard.set(listener, (e) => listener((e as CustomEvent).detail));
      window.addEventListener(`wallet:${wallet.rdns}:${event}`, heard.get(listener)!);
      return provider;
    },
    removeListener(event: string, listener: unknown) {
      window.removeEventListener(`wallet:${wallet.rdns}:${event}`, heard.get(listener)!);
      return provider;
    },
  };
  const { rdns, name, icon } = wallet;
  const detail = Object.freeze({ info: { uuid: crypto.randomUUID?.() ?? rdns, rdns, name, icon }, provider });
  const tell = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }));
  if (wallet.how === 'legacy') return void Object.assign(window, { ethereum: provider });
  // Just within the 300 ms that a page waits after asking.
  if (wallet.how === 'late') return void window.addEventListener('eip6963:requestProvider', () => setTimeout(tell, 250));
  window.addEventListener('eip6963:requestProvider', tell);
  tell();
  if (wallet.how === 'twice') tell();
}
