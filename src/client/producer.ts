import type { Clock } from '../lib/clock.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import { systemClock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { systemRandom } from '../lib/random.ts';
import { streamKey } from '../model/scope.ts';
import { countLines, cut, encode, pathOf } from './body.ts';
import type { Body } from './body.ts';
import { decide, refusedLines } from './decide.ts';
import { createPoster } from './post.ts';
import type { Poster } from './post.ts';
import { DiskSpool } from './spool.ts';
import type { BodyResult, Producer, ProducerOptions, ProducerTotals } from './contract.ts';

const RETRY_MS = 200;
const RETRY_MS_MOST = 10_000;
/** What the server remembers of bodies under way; see its `Waybill-Producer`. */
const NUMBERED_MOST = 8;
const SPOOL_BYTES = 1 << 30;
const NEWLINE = 10;

/** Makes a producer. Its options are checked here: what cannot work throws. */
export function createProducer(options: ProducerOptions): Producer {
  return new BatchingProducer(options);
}

class BatchingProducer implements Producer {
  readonly #options: ProducerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #poster: Poster;
  readonly #path: string;
  readonly #prefix: string;
  readonly #connections: number;
  readonly #bodyBytes: number;
  readonly #heldMost: number;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #partsLines = 0;
  #stopLinger: (() => void) | undefined;
  readonly #queue: Body[] = [];
  #held = 0;
  /** Bodies being put on disk, and being sent. */
  #underWay = 0;
  #bodies = 0;
  #waiters: (() => void)[] = [];
  #spool: DiskSpool | undefined;
  /** Bodies are put on disk in their order; what an earlier process left comes first. */
  #spooling: Promise<void> = Promise.resolve();
  #pending = 0;
  readonly #totals = {
    written: 0,
    accepted: 0,
    unwanted: 0,
    quarantined: 0,
    refused: 0,
    bodies: 0,
    retries: 0,
  };

  constructor(options: ProducerOptions) {
    const { numbers, spool } = options;
    if (numbers !== undefined && !/^[0-9a-f]{16}$/.test(numbers.producer))
      throw new TypeError('numbers.producer must be 16 hex digits');
    if (numbers !== undefined && spool !== undefined)
      throw new TypeError('numbers and spool exclude each other');
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    const connections = options.connections ?? 4;
    this.#connections = numbers === undefined ? connections : Math.min(connections, NUMBERED_MOST);
    this.#bodyBytes = options.bodyBytes ?? 1 << 20;
    this.#heldMost = spool?.bytes ?? (spool ? SPOOL_BYTES : (options.heldBytes ?? 32 << 20));
    this.#poster =
      options.poster ?? createPoster(new URL(options.url), this.#connections, options.ca);
    this.#path = pathOf(options);
    this.#prefix = this.#random.bytes(9).toString('base64url');
    if (spool !== undefined) this.#inOrder(() => this.#openSpool(spool.directory));
  }

  async write(lines: Buffer | string): Promise<void> {
    const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines;
    while (!this.#hasRoom(bytes.length)) await this.#changed();
    this.#take(bytes);
  }

  tryWrite(lines: Buffer | string): boolean {
    const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines;
    if (!this.#hasRoom(bytes.length)) return false;
    this.#take(bytes);
    return true;
  }

  async flush(): Promise<void> {
    this.#seal();
    while (this.#underWay > 0 || this.#queue.length > 0 || this.#pending > 0) await this.#changed();
  }

  totals(): ProducerTotals {
    return { ...this.#totals };
  }

  async close(): Promise<void> {
    await this.flush();
    this.#poster.close();
  }

  #hasRoom(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#heldMost;
  }

  #take(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const { target, wanted, bodyLines = 100_000, lingerMs = 200 } = this.#options;
    const lines = countLines(bytes);
    this.#totals.written += lines;
    if (!('by' in target) && wanted?.wants(streamKey(target.scope, target.dataset)) === false) {
      this.#totals.unwanted += lines;
      return;
    }
    for (const piece of cut(bytes, this.#bodyBytes)) {
      if (this.#partsBytes > 0 && this.#partsBytes + piece.length > this.#bodyBytes) this.#seal();
      const whole = piece.at(-1) === NEWLINE ? [piece] : [piece, Buffer.from('\n')];
      for (const part of whole) {
        this.#parts.push(part);
        this.#partsBytes += part.length;
        this.#held += part.length;
      }
      this.#partsLines += countLines(piece);
      if (this.#partsBytes >= this.#bodyBytes || this.#partsLines >= bodyLines) this.#seal();
    }
    if (this.#partsBytes > 0) this.#stopLinger ??= this.#clock.after(lingerMs, () => this.#seal());
  }

  #seal(): void {
    this.#stopLinger?.();
    this.#stopLinger = undefined;
    if (this.#partsBytes === 0) return;
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    const sequence = ++this.#bodies;
    const key = `${this.#prefix}-${sequence}`;
    const body: Body = { key, sequence, lines: this.#partsLines, length: bytes.length, bytes };
    this.#parts = [];
    this.#partsBytes = 0;
    this.#partsLines = 0;
    if (this.#options.spool === undefined) this.#enqueue(body);
    else this.#inOrder(() => this.#keep(body, bytes));
  }

  #enqueue(body: Body): void {
    this.#queue.push(body);
    this.#pump();
  }

  /** Runs one piece of the spool's work after the other. */
  #inOrder(work: () => Promise<void>): void {
    this.#pending++;
    this.#spooling = this.#spooling.then(work).finally(() => {
      this.#pending--;
      this.#wake();
    });
  }

  async #openSpool(directory: string): Promise<void> {
    try {
      const opened = await DiskSpool.open(this.#options.files ?? nodeFileSystem(), directory);
      this.#spool = opened.spool;
      for (const spooled of opened.left) {
        this.#held += spooled.bytes;
        const { key, bytes } = spooled;
        const lines = countLines(await opened.spool.read(spooled));
        this.#enqueue({ key, sequence: ++this.#bodies, lines, length: bytes, spooled });
      }
    } catch (error) {
      this.#options.onSpoolProblem?.(messageOf(error));
    }
  }

  /** From the disk on only bodies that are about to be sent are held in memory. */
  async #keep(body: Body, bytes: Buffer): Promise<void> {
    try {
      const spooled = await this.#spool?.keep(body.key, bytes);
      if (spooled !== undefined) {
        const { key, sequence, lines, length } = body;
        return this.#enqueue({ key, sequence, lines, length, spooled });
      }
    } catch (error) {
      this.#options.onSpoolProblem?.(messageOf(error));
    }
    this.#enqueue(body);
  }

  #pump(): void {
    while (this.#underWay < this.#connections && this.#queue.length > 0) {
      const body = this.#queue.shift()!;
      this.#underWay++;
      void this.#deliver(body).then((result) => {
        this.#underWay--;
        this.#held -= body.length;
        this.#count(result);
        this.#pump();
        this.#wake();
      });
    }
  }

  #count(result: BodyResult): void {
    const totals = this.#totals;
    totals.bodies++;
    totals.accepted += result.accepted;
    totals.unwanted += result.unwanted;
    totals.quarantined += result.quarantined;
    totals.refused += refusedLines(result);
    this.#options.onResult?.(result);
  }

  async #deliver(body: Body): Promise<BodyResult> {
    const plain = await this.#bytesOf(body);
    const { bytes, headers } = await encode(body, plain, this.#options);
    for (let attempt = 1; ; attempt++) {
      const timeoutMs = this.#options.timeoutMs ?? 30_000;
      const outcome = await this.#poster.post(this.#path, headers, bytes, timeoutMs);
      const decided = decide(body, plain, outcome, attempt);
      if (decided.kind !== 'again') {
        await this.#drop(body);
        return decided;
      }
      const most = Math.min(RETRY_MS_MOST, RETRY_MS * 2 ** Math.min(attempt, 10));
      const backoffMs = this.#random.fraction() * most;
      const afterMs = Math.min(Math.max(backoffMs, decided.afterMs ?? 0), 60_000);
      this.#totals.retries++;
      this.#options.onRetry?.(decided.detail, afterMs);
      await this.#clock.sleep(afterMs);
    }
  }

  /** A body that cannot be read back from the disk just now is tried again: it is not lost. */
  async #bytesOf(body: Body): Promise<Buffer> {
    for (let attempt = 1; ; attempt++) {
      if (body.bytes !== undefined) return body.bytes;
      try {
        return await this.#spool!.read(body.spooled!);
      } catch (error) {
        this.#options.onSpoolProblem?.(messageOf(error));
        await this.#clock.sleep(Math.min(RETRY_MS_MOST, RETRY_MS * 2 ** Math.min(attempt, 10)));
      }
    }
  }

  /** A body whose file stays is sent again by the next process, under the same key. */
  async #drop({ spooled }: Body): Promise<void> {
    if (spooled === undefined) return;
    try {
      await this.#spool?.drop(spooled);
    } catch (error) {
      this.#options.onSpoolProblem?.(messageOf(error));
    }
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
