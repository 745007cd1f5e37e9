/** Plain blocks of a range of a stream, one after the other, across threads. */
import type { Range } from '../model/delivery.ts';
import type { PullDeps, PulledBlock } from './contract.ts';

/** A block's lines, or why they are not to be had. */
export type Piece =
  | {
      readonly kind: 'lines';
      readonly plain: Buffer;
      /** The block's own range, and the part of it that was asked for. */
      readonly block: Range;
      readonly part: Range;
      readonly receivedMs: number;
      /** Whether the next piece comes from another reading. */
      readonly lastOfPage: boolean;
    }
  /** These lines are damaged. Reading goes on behind them. */
  | { readonly kind: 'damaged' }
  /** The rest cannot be read. */
  | { readonly kind: 'broken'; readonly detail: string };

/** Reads a range from its beginning on; lines that their owner had erased are passed over. */
export async function* piecesOf(
  deps: Pick<PullDeps, 'reader' | 'inflateBlock'>,
  stream: string,
  epoch: string,
  range: Range,
  pageBytes: number,
): AsyncGenerator<Piece, void, void> {
  let at = range.from;
  while (at < range.to) {
    const page = await readPage(deps, stream, epoch, at, pageBytes);
    if (page.kind === 'failed') return yield { kind: 'broken', detail: page.detail };
    if (page.kind === 'gap') {
      if (page.reason === 'expired') {
        return yield { kind: 'broken', detail: 'the lines were given up while they were read' };
      }
      if (page.reason === 'corrupt') yield { kind: 'damaged' };
      at = page.to;
      continue;
    }
    for (const [index, block] of page.blocks.entries()) {
      if (block.range.from >= range.to) return;
      const part = { from: Math.max(at, block.range.from), to: Math.min(block.range.to, range.to) };
      const plain = await plainOf(deps, block);
      at = block.range.to;
      if (plain === undefined) yield { kind: 'damaged' };
      else {
        const lastOfPage = index === page.blocks.length - 1 || at >= range.to;
        const { receivedMs } = block;
        yield { kind: 'lines', plain, block: block.range, part, receivedMs, lastOfPage };
      }
    }
  }
}

async function readPage(
  { reader }: Pick<PullDeps, 'reader'>,
  ...[stream, epoch, from, pageBytes]: Parameters<PullDeps['reader']['page']>
): ReturnType<PullDeps['reader']['page']> {
  try {
    return await reader.page(stream, epoch, from, pageBytes);
  } catch (error) {
    // The shard's thread is gone, or does not answer.
    return { kind: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

async function plainOf(
  { inflateBlock }: Pick<PullDeps, 'inflateBlock'>,
  { codec, stored, plainBytes, plainCrc }: PulledBlock,
): Promise<Buffer | undefined> {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  try {
    return await inflateBlock({ codec, stored: bytes, plainBytes, plainCrc });
  } catch {
    return undefined;
  }
}
