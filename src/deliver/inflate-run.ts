/**
 * Inflating many small blocks at the price of a few large ones. Fragments can stand one behind the other (lib/gzip.ts), so
 * a run of them is inflated in one go; their CRCs are combined, and only if the run does not match is each looked at alone.
 */
import type { StoredBlock } from '../buffer/index.ts';
import { combineCrc32 } from '../lib/crc32.ts';
import { giveBack } from '../lib/give-back.ts';

export type Inflated =
  | {
      readonly kind: 'plain';
      readonly plain: Buffer;
      /** With the last of blocks that were inflated together: memory that was made for them, and that nobody else looks at. */
      readonly own?: Buffer;
    }
  /** The bytes are not what the block's header says. */
  | { readonly kind: 'damaged' }
  | { readonly kind: 'failed'; readonly detail: string };

type Inflate = (block: StoredBlock) => Promise<Buffer>;

/** Plain bytes of a run: a millisecond on the thread pool, and little to hold. */
const RUN_BYTES = 256 * 1024;

/** Starts inflating blocks; the answers stand in the order of the blocks and never reject. */
export function inflateBlocks(
  blocks: readonly StoredBlock[],
  inflate: Inflate,
): Promise<Inflated>[] {
  const answers: Promise<Inflated>[] = [];
  for (const run of runs(blocks)) {
    const inflating = inflateRun(run, inflate);
    for (const index of run.keys()) answers.push(inflating.then((all) => all[index]!));
  }
  return answers;
}

function* runs(blocks: readonly StoredBlock[]): Generator<readonly StoredBlock[]> {
  let run: StoredBlock[] = [];
  let bytes = 0;
  for (const block of blocks) {
    const joins = block.codec === 'deflate' && run[0]?.codec === 'deflate';
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

async function inflateRun(run: readonly StoredBlock[], inflate: Inflate): Promise<Inflated[]> {
  if (run.length > 1) {
    const together = join(run);
    const joined = await inflateOne(together, inflate);
    giveBack(together.stored);
    if (joined.kind === 'failed') return run.map(() => joined);
    if (joined.kind === 'plain') return cut(run, joined.plain);
  }
  return await Promise.all(run.map((block) => inflateOne(block, inflate)));
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
  return run.map(({ plainBytes }, index) => {
    at += plainBytes;
    const part = plain.subarray(at - plainBytes, at);
    return { kind: 'plain', plain: part, ...(index === run.length - 1 && { own: plain }) };
  });
}

async function inflateOne(block: StoredBlock, inflate: Inflate): Promise<Inflated> {
  try {
    const plain = await inflate(block);
    return { kind: 'plain', plain, ...(plain !== block.stored && { own: plain }) };
  } catch (error) {
    const name = error instanceof Error ? error.name : 'unknown error';
    if (name === 'BlockDamaged') return { kind: 'damaged' };
    return { kind: 'failed', detail: `a block could not be inflated (${name})` };
  }
}
