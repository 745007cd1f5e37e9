/**
 * Question: what does taking in a `?by=` body cost the thread and the process, by itself?
 *
 *     node bench/by-take.ts [bodies] [streams] [bodies under way]
 *
 * Splitting, buffer and log alone, in the system's temporary folder: bodies of 64 KiB, ten lines of a zone together, drawn from so many
 * zones. No HTTP, no delivery; `BENCH_POOL=1` without the thread that deflates. CPU is compared, not time: it says the same on a busy machine.
 */
import { openBenchBuffer } from './lib/buffer.ts';
import { dealtBodies } from './lib/dealt.ts';
import { BodyPool } from '../src/ingest/body-pool.ts';
import { Splitting } from '../src/ingest/split.ts';
import type { Place } from '../src/ingest/place.ts';
import { streamKey } from '../src/model/scope.ts';
import { smallBlockDeflater } from '../src/app/helpers/deflater.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silent } from '../src/lib/diagnostics.ts';
import { limits } from '../src/model/limits.ts';

const BODIES = Number(process.argv[2] ?? 4_000);
const STREAMS = Number(process.argv[3] ?? 10_000);
const UNDER_WAY = Number(process.argv[4] ?? 32);
/** As many as a body has: each body is one stream's, as if it had come to that stream's own address. */
const LINES_PER_ZONE = Number(process.env['BENCH_LINES_PER_ZONE'] ?? 10);

const thread = smallBlockDeflater({
  clock: systemClock,
  diagnostics: silent,
  silentMs: limits.buffer.apartSilentMs,
  restMs: limits.buffer.apartRestMs,
});
const { buffer, end } = await openBenchBuffer(
  'by-take',
  { newStreamsBurst: 1e6, newStreamsPerMinute: 1e6 },
  process.env['BENCH_POOL'] ? {} : { deflateMany: thread.deflate },
);
const pool = new BodyPool(limits.ingest.idleBodyBytes);
const bodies = dealtBodies(16 * 2 ** 20, LINES_PER_ZONE, STREAMS);
const places = new Map<string, Place>(
  Array.from({ length: STREAMS }, (_, n) => {
    const stream = streamKey({ kind: 'zone', id: `z${n}` }, 'http_requests');
    return [`z${n}.example`, { stream, account: `a${n}`, wanted: true }] as const;
  }),
);

let next = 0;
let lines = 0;
async function take(): Promise<void> {
  const came = bodies[next++ % bodies.length]!;
  const body = pool.take(came.length);
  body.set(came);
  const splitting = new Splitting(
    body,
    {
      field: 'ZoneName',
      resolve: (value) => places.get(value) ?? 'unknown',
      make: (bytes) => pool.take(bytes),
      seed: 7,
    },
    { lineBytes: limits.ingest.lineBytes, strict: false },
    limits.ingest,
    false,
  );
  while (splitting.step());
  const { parts, memory } = splitting.result();
  pool.give(body);
  const answers = await Promise.all(
    parts.map(({ place, lines: own }) =>
      buffer.append({ stream: place.stream, account: place.account, lines: own }),
    ),
  );
  for (const answer of answers) {
    if (answer.kind !== 'stored') throw new Error(JSON.stringify(answer));
    lines += answer.range.to - answer.range.from;
  }
  if (memory) pool.give(memory);
}

async function round(count: number): Promise<void> {
  const until = next + count;
  await Promise.all(
    Array.from({ length: UNDER_WAY }, async () => {
      while (next < until) await take();
    }),
  );
}

// The thread keeps no process alive.
const alive = setInterval(() => {}, 1_000);
await round(BODIES / 2);
for (let n = 0; n < 3; n++) {
  const before = {
    cpu: process.cpuUsage(),
    thread: process.threadCpuUsage(),
    stats: buffer.stats(),
    next,
    ms: performance.now(),
  };
  await round(BODIES / 2);
  const took = performance.now() - before.ms;
  const all = process.cpuUsage(before.cpu);
  const thread = process.threadCpuUsage(before.thread);
  const { commits, writtenBytes } = buffer.stats();
  const count = next - before.next;
  console.log({
    cpuUsABody: Math.round((all.user + all.system) / count),
    ofItThread: Math.round((thread.user + thread.system) / count),
    bodiesASecond: Math.round((count / took) * 1_000),
    bodiesACommit: Number((count / (commits - before.stats.commits)).toFixed(1)),
    writtenBytesABody: Math.round((writtenBytes - before.stats.writtenBytes) / count),
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  });
}
console.log({ lines });
clearInterval(alive);
await thread.close();
await end();
