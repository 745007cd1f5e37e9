/**
 * Something between a forwarder and the server's control address: it hands questions on, or is cut, or tells the lies of a
 * broken generator.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Stage } from './stage.ts';

/** What it answers with, beside the truth. */
export type Lie = (truth: { readonly text: string; readonly headers: Headers }) => {
  readonly status: number;
  readonly body: string;
};

export class Between {
  /** Undefined: the truth. */
  lie: Lie | undefined;
  /** Nobody is reached. */
  cut = false;
  lies = 0;
  readonly #target: () => string;
  readonly #server: Server;

  private constructor(target: () => string) {
    this.#target = target;
    this.#server = createServer((request, answer) => {
      this.#handOn(request, answer).catch(() => answer.destroy());
    });
  }

  static async open(stage: Stage, target: () => string): Promise<Between> {
    const between = new Between(target);
    await new Promise<void>((ready) => between.#server.listen(0, '127.0.0.1', ready));
    stage.onEnd(() => {
      between.#server.closeAllConnections();
      between.#server.close();
    });
    return between;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends what is under way, so that a new lie or cut is met at once. */
  change(manner: { readonly lie?: Lie; readonly cut?: boolean }): void {
    this.lie = manner.lie;
    this.cut = manner.cut ?? false;
    this.#server.closeAllConnections();
  }

  async #handOn(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    if (this.cut) return void answer.destroy();
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const headers = { ...request.headers, host: undefined, connection: undefined };
    // A lie needs a whole answer to start from, however new it is.
    if (this.lie) delete headers['if-none-match'];
    const told = await fetch(`${this.#target()}${request.url ?? '/'}`, {
      method: request.method ?? 'GET',
      headers: Object.fromEntries(
        Object.entries(headers).filter(
          (pair): pair is [string, string] => typeof pair[1] === 'string',
        ),
      ),
      ...(pieces.length > 0 ? { body: Buffer.concat(pieces) } : {}),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await told.text();
    if (this.lie) {
      this.lies += 1;
      const { status, body } = this.lie({ text, headers: told.headers });
      answer.writeHead(status, { ...passedOn(told.headers), 'content-type': 'application/json' });
      answer.end(body);
      return;
    }
    answer.writeHead(told.status, passedOn(told.headers)).end(text);
  }
}

function passedOn(headers: Headers): Record<string, string> {
  const left = new Set([
    'content-length',
    'transfer-encoding',
    'content-encoding',
    'connection',
    'keep-alive',
  ]);
  return Object.fromEntries([...headers].filter(([name]) => !left.has(name)));
}
