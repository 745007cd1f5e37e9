/**
 * A batch's body while it grows: stored fragments are taken over as they are, plain bytes are gathered and deflated.
 *
 * Deflating runs on the thread pool while the next bytes are being made: at most one piece is under way per batch.
 */
import { createHash } from 'node:crypto';
import { assert } from '../lib/assert.ts';
import { stitchGzip } from '../lib/gzip.ts';
import type { Fragment, GzipMember } from '../lib/gzip.ts';

/** Plain bytes deflated in one piece: long enough to shrink as well as the whole would. */
const PIECE_BYTES = 1024 * 1024;
/** Bytes hashed in one turn; a millisecond or two. */
const HASH_TURN_BYTES = 1024 * 1024;

export interface BodyTools {
  readonly deflate: (plain: Buffer) => Promise<Fragment>;
  readonly nextTurn: () => Promise<void>;
}

/** How a body is packed: one gzip member, or as it is for receivers that take no gzip. */
export type Packing = 'gzip' | 'identity';

export interface Body {
  /** One gzip member, or the plain bytes where the receiver takes no gzip. */
  readonly member: GzipMember;
  /** Hex SHA-256 of the bytes as sent. */
  readonly sha256: string;
}

export class BodyBuilder {
  readonly #tools: BodyTools;
  readonly #packing: Packing;
  readonly #plainParts: Buffer[] = [];
  readonly #fragments: Promise<Fragment>[] = [];
  #gathered: Buffer[] = [];
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
    let sinceTurn = 0;
    for (const part of member.parts) {
      hash.update(part);
      sinceTurn += part.length;
      if (sinceTurn < HASH_TURN_BYTES) continue;
      sinceTurn = 0;
      await this.#tools.nextTurn();
    }
    return { member, sha256: hash.digest('hex') };
  }

  async #deflateGathered(): Promise<void> {
    if (this.#gatheredBytes === 0) return;
    const [only] = this.#gathered;
    const plain = this.#gathered.length === 1 ? only! : Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.#underWay;
    const deflating = this.#tools.deflate(plain);
    // A rejection is met where the fragments are awaited, unless the batch is given up before.
    this.#underWay = deflating.catch(() => {});
    this.#fragments.push(deflating);
  }
}
