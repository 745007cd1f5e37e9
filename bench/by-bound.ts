/**
 * Question: how much of `?by=` could a Node server take at all?
 *
 *     node bench/by-bound.ts [seconds] [streams]
 *
 * `bench/many.ts by-runs` against a bare server (`lib/by-bare.ts`) that does only what cannot be left out: read a body, find each line's zone,
 * deflate each zone's lines, one synced write for all that has come meanwhile, answer, and post what came for a zone. Run it in turn with
 * `bench/many.ts SECONDS STREAMS whole,by-runs`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sendBodies } from './lib/bodies.ts';
import { dealtBodies } from './lib/dealt.ts';
import { cpuByThread, cpuSeconds, peakRssMiB } from './lib/process-stats.ts';
import { openSink } from './lib/sink.ts';

const SECONDS = Number(process.argv[2] ?? 10);
const STREAMS = Number(process.argv[3] ?? 10_000);
const PORT = 18_097;

const dir = mkdtempSync(join(tmpdir(), 'waybill-by-bound-'));
const sink = await openSink(undefined, false);
const script = new URL('./lib/by-bare.ts', import.meta.url).pathname;
const server = spawn(
  process.execPath,
  [script, String(PORT), String(sink.port), join(dir, 'log')],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
process.on('exit', () => server.kill());
await new Promise((resolve) => server.stdout.once('data', resolve));
const pid = server.pid!;
const bodies = dealtBodies(32 * 2 ** 20, 10, STREAMS);
const before = cpuSeconds(pid);
const sent = await sendBodies({
  port: PORT,
  paths: ['/'],
  headers: {},
  bodies,
  connections: 64,
  seconds: SECONDS,
});
const bytes = sent.taken.reduce((sum, times, n) => sum + times * bodies[n]!.length, 0);
console.log('bare server', {
  intakeMBs: Math.round(bytes / 1e6 / sent.seconds),
  cpuSPerGBWhileSending: Number(((cpuSeconds(pid) - before) / (bytes / 1e9)).toFixed(2)),
  cpuSByThread: Object.fromEntries(cpuByThread(pid)),
  GB: Number((bytes / 1e9).toFixed(2)),
  batchesWhileSending: sink.taken.batches,
  behindLines: sent.acceptedLines - sink.taken.lines,
  p99AnswerMs: Math.round(sent.tookMs.toSorted()[Math.floor(sent.tookMs.length * 0.99)] ?? NaN),
  peakMiB: peakRssMiB(pid),
});
server.kill();
sink.close();
rmSync(dir, { recursive: true });
process.exit();
