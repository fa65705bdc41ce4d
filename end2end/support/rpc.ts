// The chain's JSON-RPC as the shop and the wallets see it: a proxy before the real node that fails where a test says so.
//
// Two paths, one node: the shop is told `/shop`, wallets are told `/wallet`, so that either can lose its node alone.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Side = 'shop' | 'wallet';
export type Call = { id: unknown; method: string; params?: unknown[] };
export type Answer = { result: unknown } | { error: { code: number; message: string } };
/** Answers a call in the node's place, at once or later; `undefined` leaves it to the node. */
export type Fault = (call: Call, side: Side) => Answer | Promise<Answer> | undefined;

/** Wei for one unit of gas, as on Monad: anvil's own falls to nothing in empty blocks, and the fee would round to 0. */
export const GAS_PRICE = 100_000_000_000n;

const everyday: Fault = ({ method }) => (method === 'eth_gasPrice' ? { result: `0x${GAS_PRICE.toString(16)}` } : undefined);

export class Rpc {
  readonly #server: Server;
  readonly #gone = new Set<Side>();
  #faults: Fault[] = [];
  /** Everything that was asked of the node since `clear`. */
  readonly calls: { side: Side; method: string; params?: unknown[] }[] = [];

  private constructor(private readonly node: string) {
    this.#server = createServer((request, response) => {
      const side: Side = request.url === '/wallet' ? 'wallet' : 'shop';
      if (this.#gone.has(side)) return void request.socket.destroy();
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.#answer(JSON.parse(Buffer.concat(chunks).toString()) as Call | Call[], side).then(
          (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body)),
          () => response.writeHead(502).end(),
        );
      });
    });
  }

  static async start(node: string): Promise<Rpc> {
    const rpc = new Rpc(node);
    await new Promise<void>((resolve) => rpc.#server.listen(0, '127.0.0.1', resolve));
    return rpc;
  }

  url(side: Side): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${side}`;
  }

  /** The node is gone, as far as this side can tell. */
  down(side: Side) {
    this.#gone.add(side);
    this.#server.closeAllConnections();
  }

  up(side: Side) {
    this.#gone.delete(side);
  }

  fault(fault: Fault) {
    this.#faults.unshift(fault);
  }

  /** No fault is left, and nothing was asked. */
  clear() {
    this.#gone.clear();
    this.#faults = [];
    this.calls.length = 0;
  }

  async #answer(body: Call | Call[], side: Side): Promise<unknown> {
    const batch = Array.isArray(body) ? body : [body];
    for (const { method, params } of batch) this.calls.push({ side, method, ...(params && { params }) });
    const faults = [...this.#faults, everyday];
    const own = await Promise.all(
      batch.map((call) => faults.map((fault) => fault(call, side)).find((answer) => answer !== undefined)),
    );
    const rest = batch.filter((_, n) => own[n] === undefined);
    const theirs = rest.length ? await this.#forward(rest) : [];
    const answers = batch.map((call, n) =>
      own[n] ? { jsonrpc: '2.0', id: call.id, ...own[n] } : theirs.find((answer) => answer.id === call.id),
    );
    return Array.isArray(body) ? answers : answers[0];
  }

  async #forward(calls: Call[]): Promise<{ id: unknown }[]> {
    const answer = await fetch(this.node, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(calls),
    });
    return (await answer.json()) as { id: unknown }[];
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
