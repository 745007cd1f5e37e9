/**
 * Looks at the blocks that a job's next batch may be chosen from. Jobs that keep up have a few of them; one that is behind may have
 * thousands, which take milliseconds to go through and a megabyte to hold. A place that is back wakes all of its jobs at once, so
 * long looks go one after the other, in short turns; jobs that keep up do not wait for them.
 */
import type { BlockInfo, ShardBuffer } from '../buffer/index.ts';
import { Lane } from './lane.ts';

/** Blocks of a short look: so many jobs do that in one turn that it must not take more than 0.1 ms. */
const SHORT_BLOCKS = 128;
/** Blocks that a long one goes through in one piece of a turn: half a millisecond. */
const PIECE_BLOCKS = 512;
/** Long looks at once: one may be waiting for the disk. */
const LONG_LOOKS = 2;

export interface BacklogLookTools {
  readonly buffer: Pick<ShardBuffer, 'peek'>;
  /** Does a piece of work when there is time for it; see `lib/short-turns.ts`. */
  readonly inTurn: <T>(piece: () => T) => Promise<T>;
}

export class BacklogLook {
  readonly #tools: BacklogLookTools;
  readonly #long = new Lane(LONG_LOOKS);

  constructor(tools: BacklogLookTools) {
    this.#tools = tools;
  }

  /** As `peek` of the buffer. */
  async blocks(
    stream: string,
    from: number,
    most: number,
    plainBytes: number,
  ): Promise<readonly BlockInfo[]> {
    const few = await this.#tools.buffer.peek(
      stream,
      from,
      Math.min(most, SHORT_BLOCKS),
      plainBytes,
    );
    if (few.length < SHORT_BLOCKS || few.length >= most || bytesOf(few) >= plainBytes) return few;
    return await this.#long.run(() => this.#inPieces(stream, from, most, plainBytes));
  }

  async #inPieces(
    stream: string,
    from: number,
    most: number,
    plainBytes: number,
  ): Promise<readonly BlockInfo[]> {
    const { buffer, inTurn } = this.#tools;
    const infos: BlockInfo[] = [];
    let offset = from;
    let leftBytes = plainBytes;
    while (infos.length < most && leftBytes > 0) {
      const count = Math.min(PIECE_BLOCKS, most - infos.length);
      const piece = await inTurn(() => buffer.peek(stream, offset, count, leftBytes));
      infos.push(...piece);
      leftBytes -= bytesOf(piece);
      offset = piece.at(-1)?.range.to ?? offset;
      // The head, or a gap.
      if (piece.length < count) break;
    }
    return infos;
  }
}

function bytesOf(infos: readonly BlockInfo[]): number {
  return infos.reduce((sum, info) => sum + info.plainBytes, 0);
}
