// A stand-in for a language model's server (OpenAI's chat completions): it answers by a script, as slowly as a test wants to see it.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export const MODEL = 'scripted-1';

type Message = { role: string; content?: string | null };
type Question = { messages: Message[]; tools?: unknown[]; stream?: boolean };
type Said = { content?: string; tool_calls?: { name: string; input: object }[] };
/** What it says to the `turn`-th question since it was scripted. */
export type Script = (turn: number, question: Question) => Said;

/** As it explains a report, and whatever else nobody has scripted. */
const EXPLAINS: Script = () => ({ content: 'In plain words: this was computed, and here is what it means.' });

export class Model {
  readonly #server: Server;
  #script = EXPLAINS;
  #turn = 0;
  #pauseMs = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Model> {
    const server = createServer();
    const model = new Model(server);
    server.on('request', async (request, response) => {
      if (request.method === 'GET') return response.writeHead(200, { 'content-type': 'application/json' }).end('{"data":[]}');
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const said = model.#script(model.#turn++, JSON.parse(Buffer.concat(pieces).toString()) as Question);
      await pause(model.#pauseMs);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion(said)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return model;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** From now on. `pauseMs`: before each answer, so that what is shown meanwhile can be seen. */
  play(script: Script, pauseMs = 0) {
    [this.#script, this.#turn, this.#pauseMs] = [script, 0, pauseMs];
  }

  forget() {
    this.play(EXPLAINS);
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function completion({ content, tool_calls }: Said) {
  const calls = tool_calls?.map(({ name, input }, at) => ({ id: `c${at}`, type: 'function', function: { name, arguments: JSON.stringify(input) } }));
  const message = { role: 'assistant', content: content ?? null, ...(calls && { tool_calls: calls }) };
  return {
    object: 'chat.completion',
    choices: [{ index: 0, message, finish_reason: calls ? 'tool_calls' : 'stop' }],
    usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
  };
}
