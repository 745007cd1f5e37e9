/**
 * A batch's body while it grows: stored fragments are taken over as they are, plain bytes are gathered and deflated.
 *
 * Deflating runs on the thread pool while the next bytes are being made: at most one piece is under way per batch.
 */
import { createHash } from 'node:crypto';
import { assert } from '../lib/assert.ts';
import { giveBack } from '../lib/give-back.ts';
import { stitchGzip } from '../lib/gzip.ts';
import type { Fragment, GzipMember } from '../lib/gzip.ts';

/** Level for what is deflated here: nearly as small as 6, a fifth faster (docs/delivery.md has the numbers). */
export const DEFLATE_LEVEL = 5;
/** Level for small blocks that are delivered as they came: what they are stored at, three fifths of the CPU of 5 for a tenth more. */
export const AGAIN_LEVEL = 3;
/** Plain bytes deflated in one piece: long enough to shrink as well as the whole would. */
const PIECE_BYTES = 1024 * 1024;
/** Bytes hashed in one piece of a turn; a millisecond at most. */
const HASHED_BYTES = 512 * 1024;

export interface BodyTools {
  readonly deflate: (plain: Buffer) => Promise<Fragment>;
  /** Does a piece of work when there is time for it; see `lib/short-turns.ts`. */
  readonly inTurn: <T>(piece: () => T) => Promise<T>;
}

/** How a body is packed: one gzip member, or as it is for receivers that take no gzip. */
export type Packing = 'gzip' | 'identity';

export interface Body {
  /** One gzip member, or the plain bytes where the receiver takes no gzip. */
  readonly member: GzipMember;
  /** Hex SHA-256 of the bytes as sent. */
  readonly sha256: string;
  /** Gives its memory back. Nobody may look at it afterwards. */
  readonly giveBack?: () => void;
}

export class BodyBuilder {
  readonly #tools: BodyTools;
  readonly #packing: Packing;
  readonly #plainParts: Buffer[] = [];
  readonly #fragments: Promise<Fragment>[] = [];
  #gathered: Buffer[] = [];
  /** Those of them whose memory can be given back. */
  #own = new Set<Buffer>();
  /** Memory in which some of them lie. */
  #memories: Buffer[] = [];
  /** What gives back memory that parts of the body lie in. */
  readonly #held: (() => void)[] = [];
  #gatheredBytes = 0;
  #underWay: Promise<unknown> = Promise.resolve();
  /** Plain bytes taken so far. */
  plainBytes = 0;

  constructor(tools: BodyTools, packing: Packing = 'gzip') {
    this.#tools = tools;
    this.#packing = packing;
  }

  /** Whether plain bytes wait for more, to be deflated with them. */
  get gathers(): boolean {
    return this.#gatheredBytes > 0;
  }

  async addPlain(plain: Buffer): Promise<void> {
    if (plain.length === 0) return;
    if (this.#packing === 'identity') {
      this.#plainParts.push(plain);
      this.plainBytes += plain.length;
      return;
    }
    this.#gathered.push(plain);
    this.#gatheredBytes += plain.length;
    this.plainBytes += plain.length;
    if (this.#gatheredBytes >= PIECE_BYTES) await this.#deflateGathered();
  }

  /** The same of bytes that nobody else looks at, now or later: their memory is given back as soon as they are deflated. */
  async addOwn(plain: Buffer): Promise<void> {
    if (this.#packing === 'gzip') this.#own.add(plain);
    await this.addPlain(plain);
  }

  /**
   * Takes memory in which plain bytes lie that were added, and nothing else that anybody looks at: it is given back with what is
   * deflated next, which is after them.
   */
  takeMemory(memory: Buffer): void {
    if (this.#packing === 'gzip') this.#memories.push(memory);
  }

  /** Keeps what gives back memory in which fragments lie that were added, for when the body is not looked at any more. */
  holdUntilSent(giveBackMemory: () => void): void {
    this.#held.push(giveBackMemory);
  }

  async addFragment(fragment: Fragment): Promise<void> {
    assert(this.#packing === 'gzip', 'stored fragments stand in gzip bodies only');
    await this.#deflateGathered();
    this.#fragments.push(Promise.resolve(fragment));
    this.plainBytes += fragment.plainBytes;
  }

  async finish(): Promise<Body> {
    await this.#deflateGathered();
    const { plainBytes } = this;
    const member =
      this.#packing === 'gzip'
        ? stitchGzip(await Promise.all(this.#fragments))
        : { parts: this.#plainParts, bytes: plainBytes, plainBytes };
    const hash = createHash('sha256');
    for (const run of runsOf(member.parts, HASHED_BYTES)) {
      await this.#tools.inTurn(() => {
        for (const part of run) hash.update(part);
      });
    }
    const held = this.#held;
    return { member, sha256: hash.digest('hex'), giveBack: () => held.forEach((free) => free()) };
  }

  async #deflateGathered(): Promise<void> {
    if (this.#gatheredBytes === 0) return;
    const gathered = this.#gathered;
    const own = this.#own;
    const memories = this.#memories;
    this.#gathered = [];
    this.#memories = [];
    this.#gatheredBytes = 0;
    this.#own = new Set();
    const plain = await this.#tools.inTurn(() => joined(gathered, own));
    await this.#underWay;
    const deflating = this.#tools.deflate(plain).finally(() => {
      if (own.has(plain)) giveBack(plain);
      // zlib was given room for one byte more, to see that a block does not lie about its length.
      for (const memory of memories) giveBack(memory, 1);
    });
    void deflating.then(({ bytes }) => this.#held.push(() => giveBack(bytes))).catch(() => {});
    // A rejection is met where the fragments are awaited, unless the batch is given up before.
    this.#underWay = deflating.catch(() => {});
    this.#fragments.push(deflating);
  }
}

/** @param own of these; what is joined out of several is own as well, and they are given back */
function joined(parts: readonly Buffer[], own: Set<Buffer>): Buffer {
  const [only] = parts;
  if (parts.length === 1) return only!;
  const all = Buffer.concat(parts);
  for (const part of own) giveBack(part);
  own.add(all);
  return all;
}

/** Parts, or pieces of them, in runs of at most so many bytes. */
function* runsOf(parts: readonly Buffer[], mostBytes: number): Generator<readonly Buffer[]> {
  let run: Buffer[] = [];
  let left = mostBytes;
  for (const part of parts) {
    for (let at = 0; at < part.length;) {
      const piece = part.subarray(at, at + left);
      run.push(piece);
      at += piece.length;
      left -= piece.length;
      if (left > 0) continue;
      yield run;
      run = [];
      left = mostBytes;
    }
  }
  if (run.length > 0) yield run;
}
