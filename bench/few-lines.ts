/**
 * Question: what does a batch of few lines cost, where very many jobs have some?
 *
 *     node bench/few-lines.ts [jobs] [blocks of each] [lines of a block]
 *
 * Log, buffer, archive and delivery by themselves, over HTTP to a sink in another process: so many streams get their lines, then a job
 * for each begins at its first line. No rate counts here, only CPU, of this thread and of the process with the pool and V8's threads.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSenders } from './lib/senders.ts';
import { inflateBlock } from '../src/buffer/index.ts';
import { createDelivery } from '../src/deliver/index.ts';
import { openArchiveWriter } from '../src/ledger/index.ts';
import { systemClock as clock } from '../src/lib/clock.ts';
import { silent as diagnostics } from '../src/lib/diagnostics.ts';
import { nodeFileSystem } from '../src/lib/fs/node.ts';
import { systemRandom as random } from '../src/lib/random.ts';
import { limits } from '../src/model/limits.ts';
import type { StreamKey } from '../src/model/scope.ts';
import type { JobConfig } from '../src/model/snapshot.ts';
import { openBenchBuffer } from './lib/buffer.ts';
import { cutBodies } from './lib/http-lines.ts';
import { openSinkApart } from './lib/sink-apart.ts';

const JOBS = Number(process.argv[2] ?? 3_000);
const BLOCKS = Number(process.argv[3] ?? 6);
const LINES = Number(process.argv[4] ?? 10);
const LINE_BYTES = 898;
const APPENDS_AT_ONCE = 64;

const sink = await openSinkApart(false);
const archiveDir = mkdtempSync(join(tmpdir(), 'waybill-few-lines-archive-'));
const archive = await openArchiveWriter({
  files: nodeFileSystem(),
  directory: archiveDir,
  clock,
  diagnostics,
  fileBytes: limits.ledger.archiveFileBytes,
  keepMs: limits.ledger.archiveMs,
});
// No tail cache: lines of very many customers are read from the disk.
const { buffer, end } = await openBenchBuffer(
  'few-lines',
  { newStreamsBurst: 1e9, tailCacheBytes: 0, lowWatermark: 0.99, highWatermark: 0.995 },
  { ledger: archive },
);
archive.live();

const bodies = cutBodies(16 * 2 ** 20, LINES * LINE_BYTES).map((bytes) => {
  const ends = [];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) ends.push(at + 1);
  return { bytes, ends: Uint32Array.from(ends) };
});
const streamOf = (n: number): StreamKey => `zones/z${n}/http_requests`;
let plainBytes = 0;
let next = 0;
async function producer(): Promise<void> {
  while (next < JOBS * BLOCKS) {
    const mine = next++;
    const lines = bodies[mine % bodies.length]!;
    plainBytes += lines.bytes.length;
    const stream = streamOf(mine % JOBS);
    await buffer.append({ stream, account: `a${mine % JOBS}`, lines });
  }
}
await Promise.all(Array.from({ length: APPENDS_AT_ONCE }, producer));

const jobs = Array.from({ length: JOBS }, (_, n): JobConfig => {
  const stream = streamOf(n);
  return {
    id: n + 1,
    name: '',
    account: `a${n}`,
    scope: { kind: 'zone', id: `z${n}` },
    dataset: 'http_requests',
    stream,
    enabled: true,
    destinationConf: `http://127.0.0.1:${sink.port}/${n}`,
    filter: '',
    outputOptions: null,
    maxUploadBytes: 0,
    maxUploadRecords: 0,
    maxUploadIntervalMs: 0,
    contentVersion: 1,
    version: n + 1,
    start: { epoch: buffer.stream(stream)!.epoch, offset: 0 },
  };
});
const delivery = createDelivery({
  buffer,
  ...openSenders(),
  inflateBlock,
  compileContent: () => 'whole',
  contentOf: () => undefined,
  keepLines: async () => {},
  onAttempt: () => {},
  clock,
  random,
  diagnostics,
  limits: { ...limits.deliver, openPlans: limits.buffer.openPlans },
  intervalMs: limits.deliver.intervalMs,
});
const cpuFrom = process.cpuUsage();
const threadFrom = process.threadCpuUsage();
const began = performance.now();
await delivery.apply(jobs, 1);
const lines = jobs.reduce((sum, { stream }) => sum + buffer.stream(stream)!.head, 0);
const settled = (): number => jobs.reduce((sum, { id }) => sum + (buffer.job(id)?.cursor ?? 0), 0);
while (settled() < lines) await clock.sleep(250);
const thread = process.threadCpuUsage(threadFrom);
const all = process.cpuUsage(cpuFrom);
const { batches, wireBytes } = sink.taken;
const msABatch = (cpu: { user: number; system: number }): number =>
  Number(((cpu.user + cpu.system) / 1_000 / batches).toFixed(3));
console.log({
  batches,
  batchBytes: Math.round(plainBytes / batches),
  missingLines: lines - sink.taken.lines,
  cpuMsABatch: { thread: msABatch(thread), process: msABatch(all) },
  timesSmaller: Number((plainBytes / wireBytes).toFixed(2)),
  seconds: Number(((performance.now() - began) / 1_000).toFixed(1)),
  rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
});
await delivery.close();
await end();
await archive.close();
sink.close();
rmSync(archiveDir, { recursive: true });
process.exit();
