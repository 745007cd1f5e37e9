/**
 * Lines for other shards of this process, by message from thread to thread.
 *
 * Only a stream's owner gives out its offsets. Whoever receives lines for it hands them over and answers its producer when the
 * owner has said that they are durable (I1). What one turn brings goes in one message, and so do the answers of one commit:
 * under load a message serves many requests. Large bodies are moved, not copied, and come back for the next one.
 */
import type { MessagePort } from 'node:worker_threads';
import { assert } from '../lib/assert.ts';
import type {
  AnswersMessage,
  Handed,
  HandedResult,
  LinesMessage,
  PeerMessage,
  PeersDeps,
} from './contract.ts';
import { parcel, unpack } from './parcel.ts';

/** When to come back to a shard that is being started again, or has too much before it. */
const DOWN_RETRY_MS = 2_000;
const FULL_RETRY_MS = 1_000;

/** Smaller memory is cheap to make anew. */
const BACK_BYTES = 128 * 1024;

const DOWN: HandedResult = { kind: 'refused', reason: 'shard_down', retryAfterMs: DOWN_RETRY_MS };
const FULL: HandedResult = { kind: 'refused', reason: 'overloaded', retryAfterMs: FULL_RETRY_MS };

export class Peers {
  readonly #deps: PeersDeps;
  readonly #lines = new Map<number, Line>();

  constructor(deps: PeersDeps) {
    this.#deps = deps;
  }

  /** Another shard's thread has started; this is the way to it. */
  join(shard: number, port: MessagePort): void {
    this.#lines.get(shard)?.close();
    this.#lines.set(shard, new Line(port, this.#deps));
  }

  /** A shard hangs, or does so no more: what waits for it, or comes meanwhile, is refused instead of piling up (I6). */
  hangs(shard: number, hangs: boolean): void {
    const line = this.#lines.get(shard);
    if (!line) return;
    line.hangs = hangs;
    if (hangs) line.giveUp();
  }

  /** Resolves when the owner has stored the lines, or says why they are not stored. Never rejects. */
  append(owner: number, handed: Handed): Promise<HandedResult> {
    return this.#lines.get(owner)?.append(handed) ?? Promise.resolve(DOWN);
  }

  /** Plain bytes that other shards have not answered. */
  get waitingBytes(): number {
    return [...this.#lines.values()].reduce((sum, line) => sum + line.waitingBytes, 0);
  }

  /** Sends what is still to be sent: the thread is about to end. */
  flush(): void {
    for (const line of this.#lines.values()) line.flush();
  }
}

interface Waiting {
  readonly bytes: number;
  readonly resolve: (result: HandedResult) => void;
}

/** The way to one other shard, and from it. */
class Line {
  hangs = false;
  waitingBytes = 0;
  readonly #port: MessagePort;
  readonly #deps: PeersDeps;
  readonly #waiting = new Map<number, Waiting>();
  #handed: Handed[] = [];
  #answers: [id: number, result: AnswersMessage['rows'][number][1]][] = [];
  #back: ArrayBuffer[] = [];
  #lastId = 0;
  #isClosed = false;
  #isFlushDue = false;

  constructor(port: MessagePort, deps: PeersDeps) {
    this.#port = port;
    this.#deps = deps;
    port.on('message', (message: PeerMessage) => {
      if (message.kind === 'lines') this.#store(message);
      else this.#answered(message);
    });
    // The other thread has ended, and with it all that it had not answered.
    port.on('close', () => this.close());
  }

  append(handed: Handed): Promise<HandedResult> {
    const bytes = handed.lines.bytes.length;
    if (this.hangs || this.#isClosed) return Promise.resolve(DOWN);
    const fits = this.waitingBytes === 0 || this.waitingBytes + bytes <= this.#deps.mostBytes;
    if (!fits) return Promise.resolve(FULL);
    assert(handed.lines.ends.at(-1) === bytes, 'the last line ends where the bytes end');
    this.waitingBytes += bytes;
    return new Promise((resolve) => {
      this.#waiting.set(++this.#lastId, { bytes, resolve });
      this.#handed.push(handed);
      this.#flushSoon();
    });
  }

  #answered({ rows, back }: AnswersMessage): void {
    for (const memory of back) this.#deps.regain(memory);
    for (const [id, result] of rows) {
      const waiting = this.#waiting.get(id);
      if (!waiting) continue;
      this.#waiting.delete(id);
      this.waitingBytes -= waiting.bytes;
      waiting.resolve(result);
    }
  }

  #store(message: LinesMessage): void {
    const left = message.bytes.map(() => 0);
    for (const [, , memory] of message.rows) left[memory] = left[memory]! + 1;
    unpack(message).forEach((request, index) => {
      const [, , memory, , , , , , via] = message.rows[index]!;
      void this.#deps.store(request, via).then((result) => {
        this.#answers.push([message.firstId + index, result]);
        // After a refusal somebody may still look at the bytes; then they are garbage in the end.
        if (result.kind === 'stored') left[memory] = left[memory]! - 1;
        if (left[memory] === 0) this.#giveBack(message.bytes[memory]!.buffer as ArrayBuffer);
        this.#flushSoon();
      });
    });
  }

  #giveBack(memory: ArrayBuffer): void {
    if (memory.byteLength >= BACK_BYTES) this.#back.push(memory);
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#deps.atTurnEnd(() => this.flush());
  }

  flush(): void {
    this.#isFlushDue = false;
    if (this.#isClosed) return;
    if (this.#answers.length > 0) {
      const message: AnswersMessage = { kind: 'answers', rows: this.#answers, back: this.#back };
      this.#port.postMessage(message, this.#back);
      this.#answers = [];
      this.#back = [];
    }
    if (this.#handed.length > 0) {
      const { message, moved } = parcel(this.#lastId - this.#handed.length + 1, this.#handed);
      this.#handed = [];
      this.#port.postMessage(message, moved);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#port.close();
    this.#handed = [];
    this.giveUp();
  }

  /** Nothing is known of what was handed over, and its producers are told so. Late answers are passed over. */
  giveUp(): void {
    for (const { resolve } of this.#waiting.values()) resolve(DOWN);
    this.#waiting.clear();
    this.waitingBytes = 0;
  }
}
