/**
 * Deflates requests of medium size before a commit takes them, many for one message to the thread that deflates.
 *
 * A request by itself in libuv's pool wakes a thread, and is the only one that is ready when it comes back, so that the commit which
 * takes it holds one or two. Under load both cost more than the lines in it. So what comes while the thread is at work
 * gathers, goes there together, comes back together and shares a commit. One that comes alone waits for nobody.
 */
import type { DeflateMany } from '../../lib/deflate-many/contract.ts';
import { makePieces } from './deflate.ts';
import type { Piece } from './deflate.ts';

/** Calls under way: while one is being worked on the next one is there already. */
const CALLS = 2;
/** Plain bytes of one call: some 5 ms of the thread, for which its first waits for its last. */
const CALL_BYTES = 1024 * 1024;

interface Wish {
  readonly plain: Buffer;
  readonly lines: number;
  /** `undefined`: the thread is of no use just now. */
  readonly done: (piece: Piece | undefined) => void;
}

export class DeflateAhead {
  readonly #many: DeflateMany;
  readonly #allDone: () => void;
  #waiting: Wish[] = [];
  #underWay = 0;

  /** @param allDone called when all wishes of a call have been told */
  constructor(many: DeflateMany, allDone: () => void) {
    this.#many = many;
    this.#allDone = allDone;
  }

  /** Whatever becomes of it is told later, never in this very call. */
  deflate(wish: Wish): void {
    this.#waiting.push(wish);
    this.#next();
  }

  #next(): void {
    while (this.#underWay < CALLS && this.#waiting.length > 0) {
      this.#underWay += 1;
      void this.#call(this.#take());
    }
  }

  #take(): readonly Wish[] {
    let bytes = 0;
    let count = 0;
    for (const { plain } of this.#waiting) {
      bytes += plain.length;
      if (count > 0 && bytes > CALL_BYTES) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #call(wishes: readonly Wish[]): Promise<void> {
    const plain = wishes.map((wish) => ({
      parts: [wish.plain],
      bytes: wish.plain.length,
      lines: wish.lines,
    }));
    const pieces = await makePieces(plain, this.#many);
    this.#underWay -= 1;
    this.#next();
    for (const [index, wish] of wishes.entries()) wish.done(pieces?.[index]);
    this.#allDone();
  }
}
