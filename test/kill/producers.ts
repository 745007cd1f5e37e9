import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { lineOf } from './lines.ts';
import type { Oracle } from './oracle.ts';

/** Where bodies go just now; the server's port stays the same over its deaths. */
export interface Target {
  readonly url: string;
  readonly path: string;
  readonly token: string;
}

interface Answer {
  readonly accepted?: number;
  readonly streams?: readonly {
    readonly epoch: string;
    readonly offsets: { readonly from: number; readonly to: number };
    readonly repeat?: boolean;
  }[];
}

/**
 * A producer as the outside would write one: it sends bodies of some lines, and repeats every body that was not answered
 * with 2xx, under the same key, until it is. Bodies are of one line up to some hundred; every other attempt is sent gzipped, so that
 * one is repeated in another coding as well.
 */
export class Producer {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #number: number;
  readonly #target: Target;
  readonly #oracle: Oracle;
  #next = 0;
  #stopped = false;
  #givenUp = false;
  /** Answers that refused for good: in this test always a fault of the server. */
  readonly faults: string[] = [];
  attempts = 0;

  constructor(number: number, target: Target, oracle: Oracle) {
    this.#number = number;
    this.#target = target;
    this.#oracle = oracle;
  }

  /** Sends bodies until `stop`; resolves when the last one is answered. */
  async run(pauseMs: number): Promise<void> {
    while (!this.#stopped) {
      await this.sendOne();
      await new Promise((resolve) => setTimeout(resolve, pauseMs * Math.random() * 2));
    }
    this.#agent.destroy();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Ends without waiting for an answer to what is under way: the test has failed, and no server may come any more. */
  giveUp(): void {
    this.#stopped = true;
    this.#givenUp = true;
  }

  /** Sends the next body until it is decided. */
  async sendOne(lines = 1 + Math.floor(Math.random() ** 3 * 600)): Promise<void> {
    const numbers = Array.from({ length: lines }, () => this.#next++);
    const ids = numbers.map((number) => `${this.#number}-${number}`);
    const body = Buffer.from(numbers.map((number) => `${lineOf(this.#number, number)}\n`).join(''));
    const key = randomUUID();
    this.#oracle.sent(ids);
    for (;;) {
      this.attempts++;
      const answer = await this.#post(body, key);
      if (answer.status >= 200 && answer.status < 300) {
        const { streams = [] } = JSON.parse(answer.text) as Answer;
        const [stream] = streams;
        if (!stream)
          return void this.faults.push(`2xx without a stream: ${answer.text.slice(0, 200)}`);
        return this.#oracle.promised(ids, {
          epoch: stream.epoch,
          ...stream.offsets,
          repeat: stream.repeat === true,
        });
      }
      if (
        answer.status >= 400 &&
        answer.status < 500 &&
        answer.status !== 408 &&
        answer.status !== 429
      ) {
        return void this.faults.push(`${answer.status} ${answer.text.slice(0, 200)}`);
      }
      if (this.#givenUp) return;
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 60));
    }
  }

  #post(lines: Buffer, key: string): Promise<{ readonly status: number; readonly text: string }> {
    const isPacked = this.attempts % 2 === 0;
    const body = isPacked ? gzipSync(lines) : lines;
    return new Promise((resolve) => {
      const failed = () => resolve({ status: 0, text: '' });
      const sent = request(
        `${this.#target.url}${this.#target.path}`,
        {
          method: 'POST',
          agent: this.#agent,
          timeout: 20_000,
          headers: {
            authorization: `Bearer ${this.#target.token}`,
            'idempotency-key': key,
            'content-length': body.length,
            ...(isPacked && { 'content-encoding': 'gzip' }),
          },
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on('error', failed);
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('no answer')));
      sent.on('error', failed);
      sent.end(body);
    });
  }
}

/** Uploads that promise a large body and never go on: they must cost the others nothing. */
export function openStalledUploads(target: Target, count: number): () => void {
  const { hostname, port } = new URL(target.url);
  const sockets: Socket[] = Array.from({ length: count }, () => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    socket.write(
      `POST ${target.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${target.token}\r\ncontent-length: 1000000\r\n\r\n{"stalled":`,
    );
    return socket;
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
