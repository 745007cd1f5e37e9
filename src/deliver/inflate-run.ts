/**
 * Inflating many small blocks at the price of a few large ones. Fragments can stand one behind the other (lib/gzip.ts), so
 * a run of them is inflated in one go; their CRCs are combined, and only if the run does not match is each looked at alone.
 */
import type { StoredBlock } from '../buffer/index.ts';
import { combineCrc32 } from '../lib/crc32.ts';
import { giveBack } from '../lib/give-back.ts';

export type Inflated =
  | { readonly kind: 'plain'; readonly plain: Buffer }
  /** The bytes are not what the block's header says. */
  | { readonly kind: 'damaged' }
  | { readonly kind: 'failed'; readonly detail: string };

/** Blocks that stand one behind the other and were inflated together. */
export type InflatedRun =
  | {
      readonly kind: 'together';
      readonly blocks: readonly StoredBlock[];
      /** Of all of them. */
      readonly plain: Buffer;
      /** The memory of it, where it was made for them and nobody else looks at it. */
      readonly own?: Buffer;
    }
  | {
      readonly kind: 'each';
      readonly blocks: readonly StoredBlock[];
      readonly each: readonly Inflated[];
    };

type Inflate = (block: StoredBlock) => Promise<Buffer>;

/** Plain bytes of a run: a millisecond on the thread pool, and little to hold. */
const RUN_BYTES = 256 * 1024;

/** Starts inflating blocks; the answers stand in the order of the blocks and never reject. */
export function inflateRuns(
  blocks: readonly StoredBlock[],
  inflate: Inflate,
): Promise<InflatedRun>[] {
  return [...runs(blocks)].map((run) => inflateRun(run, inflate));
}

/** What became of each block of a run. */
export function eachOf(run: InflatedRun): readonly Inflated[] {
  return run.kind === 'each' ? run.each : cut(run.blocks, run.plain);
}

function* runs(blocks: readonly StoredBlock[]): Generator<readonly StoredBlock[]> {
  let run: StoredBlock[] = [];
  let bytes = 0;
  for (const block of blocks) {
    const isNext = run.at(-1)?.range.to === block.range.from;
    const joins = isNext && block.codec === 'deflate' && run[0]?.codec === 'deflate';
    if (run.length > 0 && (!joins || bytes + block.plainBytes > RUN_BYTES)) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(block);
    bytes += block.plainBytes;
  }
  if (run.length > 0) yield run;
}

async function inflateRun(blocks: readonly StoredBlock[], inflate: Inflate): Promise<InflatedRun> {
  if (blocks.length > 1) {
    const together = join(blocks);
    const joined = await inflateOne(together, inflate);
    giveBack(together.stored);
    if (joined.kind === 'plain')
      return { kind: 'together', blocks, plain: joined.plain, own: joined.plain };
    if (joined.kind === 'failed') return { kind: 'each', blocks, each: blocks.map(() => joined) };
  }
  const each = await Promise.all(blocks.map((block) => inflateOne(block, inflate)));
  const [only] = each;
  if (only?.kind !== 'plain' || each.length > 1) return { kind: 'each', blocks, each };
  const isOwn = only.plain !== blocks[0]!.stored;
  return { kind: 'together', blocks, plain: only.plain, ...(isOwn && { own: only.plain }) };
}

/** The blocks as if they had been stored as one. */
function join(run: readonly StoredBlock[]): StoredBlock {
  const [first] = run;
  const last = run.at(-1);
  let plainBytes = 0;
  let plainCrc = 0;
  for (const block of run) {
    plainBytes += block.plainBytes;
    plainCrc = combineCrc32(plainCrc, block.plainCrc, block.plainBytes);
  }
  const stored = Buffer.concat(run.map((block) => block.stored));
  const range = { from: first!.range.from, to: last!.range.to };
  return { ...first!, range, stored, storedBytes: stored.length, plainBytes, plainCrc };
}

function cut(run: readonly StoredBlock[], plain: Buffer): Inflated[] {
  let at = 0;
  return run.map(({ plainBytes }) => {
    at += plainBytes;
    return { kind: 'plain', plain: plain.subarray(at - plainBytes, at) };
  });
}

async function inflateOne(block: StoredBlock, inflate: Inflate): Promise<Inflated> {
  try {
    return { kind: 'plain', plain: await inflate(block) };
  } catch (error) {
    const name = error instanceof Error ? error.name : 'unknown error';
    if (name === 'BlockDamaged') return { kind: 'damaged' };
    return { kind: 'failed', detail: `a block could not be inflated (${name})` };
  }
}
