/** A request over a simulated connection: its body comes in pieces, its sender may go away, and its shard may hang or die. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

import type { Ingest } from '../../../src/ingest/index.ts';
import { turn } from '../turn.ts';
import type { SimThread } from './thread.ts';

export interface Sending {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: readonly Buffer[];
  /** Pieces after which the sender goes away; absent: it waits for its answer. */
  readonly goesAfter?: number;
}

export interface Answered {
  readonly status: number;
  readonly json: unknown;
}

/** @returns undefined when there is no answer */
export async function exchange(
  thread: SimThread,
  ingest: Ingest,
  sending: Sending,
): Promise<Answered | undefined> {
  const request = new Incoming(sending);
  const response = new Outgoing();
  const lost = thread.died.then(() => undefined);
  const answer = Promise.race([response.answer, request.gone, lost]);
  const go = async (): Promise<void> => {
    await thread.awake();
    ingest.handle(
      request as unknown as IncomingMessage,
      response as unknown as ServerResponse,
      false,
    );
    for (const [index, piece] of sending.pieces.entries()) {
      if (index === sending.goesAfter) return request.goAway();
      await turn();
      await thread.awake();
      // Memory of its own, as what comes from a connection has.
      request.push(Buffer.from(Uint8Array.from(piece).buffer));
    }
    request.complete = true;
    request.push(null);
    if (sending.goesAfter === sending.pieces.length) {
      await turn();
      request.goAway();
    }
  };
  void go();
  const answered = await answer;
  if (answered === undefined) return undefined;
  // An answer that is out while the thread hangs is out all the same; one that is not may be lost with it.
  return await Promise.race([thread.awake().then(() => answered), lost]);
}

class Incoming extends Readable {
  readonly method = 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  complete = false;
  readonly gone: Promise<undefined>;
  #tellGone: (value: undefined) => void = () => {};

  constructor({ path, headers }: Sending) {
    super({ highWaterMark: 1 << 20 });
    this.url = path;
    this.headers = headers;
    this.gone = new Promise((resolve) => (this.#tellGone = resolve));
  }

  override _read(): void {}

  goAway(): void {
    this.destroy(new Error('the sender is gone'));
    this.#tellGone(undefined);
  }
}

class Outgoing extends EventEmitter {
  headersSent = false;
  writableEnded = false;
  destroyed = false;
  readonly socket = { writableLength: 0 };
  readonly answer: Promise<Answered>;
  #tell: (answered: Answered) => void = () => {};
  #status = 0;
  #text = '';

  constructor() {
    super();
    this.answer = new Promise((resolve) => (this.#tell = resolve));
  }

  writeHead(status: number): void {
    this.headersSent = true;
    this.#status = status;
  }

  write(text: string): void {
    this.#text += text;
  }

  end(text = ''): void {
    if (this.writableEnded) return;
    this.writableEnded = true;
    this.#text += text;
    this.#tell({ status: this.#status, json: JSON.parse(this.#text) as unknown });
    this.emit('close');
  }

  writeContinue(): void {}

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}
