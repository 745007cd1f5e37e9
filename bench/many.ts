/**
 * Question: what do ten thousand customers cost, beside one who sends as much?
 *
 *     node bench/many.ts [seconds] [streams] [loads]
 *
 * Loads, in turn against one server: `whole` (one stream, bodies of 1 MiB over 4 connections), `zones` (a stream after the other
 * in bodies of 64 KiB over 64), `by-runs` (bodies of 64 KiB through `?by=`, ten lines of one zone after the other), `by-lines`
 * (the same with a zone drawn for each line: 10,000 streams have some 70 lines of a body between them, one each).
 * Every stream has an account, and a job with a path of its own, to one receiver.
 *
 * Bar: each at least 60 % of the rate of `whole`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sendBodies } from './lib/bodies.ts';
import { dealtBodies, SMALL_BODY_BYTES } from './lib/dealt.ts';
import { makeFolder } from './lib/folder.ts';
import { cutBodies } from './lib/http-lines.ts';
import { cpuByThread, cpuSeconds, peakRssMiB, rssMiB } from './lib/process-stats.ts';
import { ingestToken, startServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const SECONDS = Number(process.argv[2] ?? 10);
const STREAMS = Number(process.argv[3] ?? 10_000);
const LOADS = (process.argv[4] ?? 'whole,zones,whole,by-runs').split(',');
const FLAGS = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
const DRAIN_MS = Number(process.env['BENCH_DRAIN_MS'] ?? 120_000);
/** Requests a second, to compare what the same load costs; absent: as many as are answered. */
const PER_SECOND = process.env['BENCH_PER_SECOND'];
const pace = PER_SECOND === undefined ? {} : { perSecond: Number(PER_SECOND) };
const PATH = '/v1/ingest/http_requests?by=ZoneName';
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const dir = mkdtempSync(join(tmpdir(), 'waybill-many-'));
const sink = await openSink(undefined, false);
// The last zone is the one that sends as much as all others.
await makeFolder({
  dir: join(dir, 'data'),
  zones: STREAMS + 1,
  accounts: STREAMS + 1,
  destination: (job) => `http://127.0.0.1:${sink.port}/${job}`,
});
const server = await startServer({ dir, nodeFlags: FLAGS });
const headers = { authorization: `Bearer ${await ingestToken(server)}` };
const pathOf = (zone: number): string => `/v1/ingest/zones/z${zone}/http_requests`;
console.log('start', { readyMs: Math.round(server.readyMs), rssMiB: rssMiB(server.pid) });

interface Load {
  readonly paths: readonly string[];
  readonly bodies: readonly Uint8Array[];
  readonly lines: readonly number[];
  readonly connections: number;
}

const linesOf = (body: Uint8Array): number => body.filter((byte) => byte === 10).length;

const LOAD_BYTES = 32 * 2 ** 20;
function loadOf(name: string): Load {
  const load = bodiesOf(name);
  return { ...load, lines: load.bodies.map(linesOf) };
}

function bodiesOf(name: string): Omit<Load, 'lines'> {
  switch (name) {
    case 'whole':
      return { paths: [pathOf(STREAMS)], bodies: cutBodies(LOAD_BYTES, 2 ** 20), connections: 4 };
    case 'zones': {
      const paths = Array.from({ length: STREAMS }, (_, n) => pathOf(n));
      return { paths, bodies: cutBodies(LOAD_BYTES, SMALL_BODY_BYTES), connections: 64 };
    }
    case 'by-runs':
      return { paths: [PATH], bodies: dealtBodies(LOAD_BYTES, 10, STREAMS), connections: 64 };
    case 'by-lines':
      return { paths: [PATH], bodies: dealtBodies(LOAD_BYTES, 1, STREAMS), connections: 64 };
    default:
      throw new Error(`no such load: ${name}`);
  }
}

const rates: { readonly name: string; readonly intake: number; readonly whole: number }[] = [];
for (const name of LOADS) {
  const load = loadOf(name);
  const before = { ...sink.taken };
  const counted = await server.metrics(/_(syncs|written_bytes)_total /);
  const cpuBefore = cpuSeconds(server.pid);
  const began = performance.now();
  const threadsBefore = cpuByThread(server.pid);
  const sent = await sendBodies({
    port: server.ingestPort,
    headers,
    seconds: SECONDS,
    ...pace,
    ...load,
  });
  const intakeCpu = cpuSeconds(server.pid) - cpuBefore;
  const intakeBatches = sink.taken.batches - before.batches;
  const threadsSent = cpuByThread(server.pid);
  const accepted = sent.acceptedLines;
  const sentBytes = sent.taken.reduce((sum, times, n) => sum + times * load.bodies[n]!.length, 0);
  const sentLines = sent.taken.reduce((sum, times, n) => sum + times * load.lines[n]!, 0);
  // What an answer of 200 refuses of a body is not taken.
  const bytes = (sentBytes * accepted) / sentLines;
  const arrived = (): number => sink.taken.lines - before.lines;
  const backlog = accepted - arrived();
  while (arrived() < accepted && performance.now() - began < DRAIN_MS) await sleep(20);
  const took = (performance.now() - began) / 1_000;
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  const threadsNow = cpuByThread(server.pid);
  const threads = [...threadsNow].map(
    ([thread, seconds]) =>
      [thread, Number((seconds - (threadsBefore.get(thread) ?? 0)).toFixed(1))] as const,
  );
  const now = await server.metrics(/_(syncs|written_bytes)_total /);
  const grown = (metric: string): number => (now.get(metric) ?? 0) - (counted.get(metric) ?? 0);
  const intake = bytes / 1e6 / sent.seconds;
  const batches = sink.taken.batches - before.batches;
  // What a batch costs by itself: nothing but delivery is at work once everything was sent.
  const msABatch = [...threadsNow].map(([thread, seconds]) => {
    const spent = seconds - (threadsSent.get(thread) ?? 0);
    return [thread, Number(((spent * 1_000) / (batches - intakeBatches)).toFixed(2))] as const;
  });
  console.log(name, {
    intakeMBs: Math.round(intake),
    endToEndMBs: Math.round(bytes / 1e6 / took),
    cpuSPerGB: Number((cpu / (bytes / 1e9)).toFixed(2)),
    cpuSPerGBWhileSending: Number((intakeCpu / (bytes / 1e9)).toFixed(2)),
    cpuSByThread: Object.fromEntries(threads.filter(([, seconds]) => seconds > 0)),
    GB: Number((bytes / 1e9).toFixed(2)),
    behindLines: backlog,
    missing: accepted - arrived(),
    refused: sent.failed,
    refusedStreams: sent.refusedStreams,
    p99AnswerMs: Math.round(
      sent.tookMs.toSorted()[Math.floor(sent.tookMs.length * 0.99)] ?? Number.NaN,
    ),
    batches,
    batchesWhileSending: intakeBatches,
    cpuMsABatchAfter: Object.fromEntries(msABatch.filter(([, ms]) => ms > 0.01)),
    batchBytes: Math.round(bytes / batches),
    timesSmaller: Number((bytes / (sink.taken.wireBytes - before.wireBytes)).toFixed(2)),
    syncsPerGB: Math.round(grown('waybill_syncs_total') / (bytes / 1e9)),
    writtenMBPerGB: Math.round(grown('waybill_written_bytes_total') / 1e6 / (bytes / 1e9)),
    rssMiB: rssMiB(server.pid),
    peakMiB: peakRssMiB(server.pid),
  });
  if (sink.taken.lines - before.lines !== accepted) process.exitCode = 1;
  rates.push({ name, intake, whole: name === 'whole' ? intake : (rates.at(-1)?.whole ?? 0) });
}
for (const { name, intake, whole } of rates) {
  if (name !== 'whole') console.log(`${name}: ${((intake / whole) * 100).toFixed(0)} % of whole`);
}
await server.stop();
sink.close();
if (process.exitCode) console.log('see', dir);
else rmSync(dir, { recursive: true });
process.exit();
