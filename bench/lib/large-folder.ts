/**
 * Fills the data folder of a server that is stopped: so many GB of lines, evenly over so many streams, by log, buffer and
 * archive themselves.
 *
 *     node bench/lib/large-folder.ts <data folder> <GB> <streams> [seconds]
 *
 * The lines are random bytes and are stored as they are: deflate, which would only find that out, is taken out of the way. May be
 * called again until it says that the folder is full; each call works at most so many seconds.
 */
import { randomBytes } from 'node:crypto';
import { registerHooks } from 'node:module';
import { join } from 'node:path';

const [data, gb = '1', streamCount = '1000', seconds = '1e9'] = process.argv.slice(2);
if (data === undefined) throw new Error('which folder?');
const GB = Number(gb);
const STREAMS = Number(streamCount);
const SEGMENT_BYTES = 128 * 2 ** 20;
const LINE_BYTES = 1_000;
/** Lines of one request. */
const MOST_LINES = 500;
/** New streams may come at so many a minute; a folder of years has them all. */
const UNBOUNDED = { newStreamsPerMinute: 1e9, newStreamsBurst: 1e9 };

registerHooks({
  load(url, context, next) {
    if (!url.endsWith('/src/lib/deflater.ts')) return next(url, context);
    const source = `export const createDeflater = () => ({ deflate: async (plain) => plain });
      export const deflateHere = (plain) => plain;`;
    return { format: 'module', source, shortCircuit: true };
  },
});
const { openBuffer } = await import('../../src/buffer/index.ts');
const { openArchiveWriter } = await import('../../src/ledger/index.ts');
const { systemClock: clock } = await import('../../src/lib/clock.ts');
const { silent: diagnostics } = await import('../../src/lib/diagnostics.ts');
const { nodeFileSystem } = await import('../../src/lib/fs/node.ts');
const { systemRandom: random } = await import('../../src/lib/random.ts');
const { openFilesLog } = await import('../../src/log/index.ts');
const { limits } = await import('../../src/model/limits.ts');

const until = performance.now() + Number(seconds) * 1_000;
const shard = join(data, 'shards', '0');
const files = nodeFileSystem();
const opened = await openFilesLog({
  files,
  directory: join(shard, 'log'),
  clock,
  diagnostics,
  segmentBytes: SEGMENT_BYTES,
  recordBytes: limits.log.recordBytes,
  commitBytes: limits.log.commitBytes,
  openSegments: limits.log.openSegments,
  shard: 0,
});
if (opened.kind !== 'open') throw new Error(opened.detail);
const archive = await openArchiveWriter({
  files,
  directory: join(shard, 'archive'),
  clock,
  diagnostics,
  fileBytes: limits.ledger.archiveFileBytes,
  keepMs: limits.ledger.archiveMs,
});
const made = await openBuffer({
  log: opened.log,
  files,
  directory: join(shard, 'buffer'),
  clock,
  random,
  diagnostics,
  ledger: archive,
  limits: {
    log: { segmentBytes: SEGMENT_BYTES, commitBytes: limits.log.commitBytes },
    buffer: { ...limits.buffer, ...UNBOUNDED, lowWatermark: 0.98, highWatermark: 0.99 },
  },
});
if (made.kind !== 'open') throw new Error(JSON.stringify(made));
archive.live();
const { buffer } = made;

const perStream = Math.max(1, Math.floor((GB * 1e9) / STREAMS / LINE_BYTES));
const pools = new Map<number, { readonly bytes: Buffer; readonly ends: Uint32Array }[]>();
let waiting: Promise<unknown>[] = [];
let full = true;
let rounds = 0;
// Stream after stream a little, so that each lies all over the log.
for (let from = 0; from < perStream && full; from += MOST_LINES) {
  for (let n = 0; n < STREAMS && full; n++) {
    const stream = `zones/z${n}/http_requests`;
    const to = Math.min(perStream, from + MOST_LINES);
    if ((buffer.stream(stream)?.head ?? 0) >= to) continue;
    const lines = linesOf(to - from);
    waiting.push(buffer.append({ stream, account: `a${n % 100}`, lines }).then(mustBeStored));
    if (waiting.length < 64) continue;
    await Promise.all(waiting);
    waiting = [];
    if (++rounds % 32 === 0) await buffer.tend();
    full = performance.now() < until;
  }
}
await Promise.all(waiting);
const { heldBytes } = opened.log.stats();
await buffer.close();
await archive.close();
console.log(JSON.stringify({ full, heldGB: Number((heldBytes / 1e9).toFixed(2)) }));

function mustBeStored(result: { readonly kind: string }): void {
  if (result.kind !== 'stored') throw new Error(JSON.stringify(result));
}

/** One of a few bodies of so many lines of random bytes: none repeats within a block. */
function linesOf(count: number): { bytes: Buffer; ends: Uint32Array } {
  let pool = pools.get(count);
  if (pool === undefined) {
    pool = Array.from({ length: 32 }, () => bodyOf(count));
    pools.set(count, pool);
  }
  return pool[Math.floor(Math.random() * pool.length)]!;
}

function bodyOf(count: number): { bytes: Buffer; ends: Uint32Array } {
  const bytes = randomBytes(count * LINE_BYTES);
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 10 || bytes[at] === 0) bytes[at] = 0x2a;
  }
  const ends = new Uint32Array(count);
  for (let n = 0; n < count; n++) {
    bytes.write('{"a":"', n * LINE_BYTES);
    bytes.write('"}\n', (n + 1) * LINE_BYTES - 3);
    ends[n] = (n + 1) * LINE_BYTES;
  }
  return { bytes, ends };
}
