/**
 * Question: what do requests of one line cost, and how long do they wait?
 *
 *     node bench/small.ts [seconds]
 *
 * Both servers run; three rounds in turn, of which the median counts: a busy machine changes from second to second.
 *
 * Bars: at least half the requests a second of a bare `node:http` server that reads the body and answers; at half of
 * that load a p99 of at most 3 times that of a bare write and fdatasync; delivered size at most 1.5 times gzip -6.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bareSync } from './lib/bare-sync.ts';
import { httpBlocks } from './lib/http-lines.ts';
import { post } from './lib/posts.ts';
import type { PostsOptions, PostsResult } from './lib/posts.ts';
import { cpuSeconds, peakRssMiB } from './lib/process-stats.ts';
import { openSink } from './lib/sink.ts';
import { waybill } from './peers/waybill.ts';

const SECONDS = Number(process.argv[2] ?? 4);
const BARE = `require('node:http').createServer((q, s) => { q.on('data', () => {}); q.on('end', () => s.end('{"accepted":1}')); }).listen(18090, '127.0.0.1')`;
const dir = mkdtempSync(join(tmpdir(), 'waybill-small-'));
const load = { path: '/', headers: {}, connections: 256, seconds: SECONDS, linesPerPost: 1 };
const show = (name: string, row: object) => console.log(name.padEnd(34), row);

/** Plain bytes that Waybill has accepted. */
let acceptedBytes = 0;

async function measured(pid: number, options: PostsOptions): Promise<PostsResult & { us: number }> {
  const before = cpuSeconds(pid);
  const result = await post(options);
  if (options.port === target.port) acceptedBytes += result.plainBytes;
  return { ...result, us: Math.round(((cpuSeconds(pid) - before) / result.answered) * 1e6) };
}

const ROUNDS = 3;
const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[1]!;

const bare = spawn(process.execPath, ['-e', BARE], { stdio: 'inherit' });
process.on('exit', () => bare.kill());
// What is inflated here is a core's time, for tens of milliseconds at once, in what is measured.
const sink = await openSink(undefined, false);
const ports = { in: 18091, admin: 18092, sinkHttp: sink.port };
const server = await waybill.start({ variant: 'whole', dir, ports });
const variant = waybill.variants['whole']!.load;
const target = { ...load, port: 18091, path: variant.path, headers: variant.headers };
const bareTarget = { ...load, port: 18090 };
await measured(bare.pid!, { ...bareTarget, perSecond: 0, seconds: 2 });
await measured(server.pid, { ...target, perSecond: 0, seconds: 2 });

const full: { perSecond: number; share: number; cpu: number }[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const most = await measured(bare.pid!, { ...bareTarget, perSecond: 0 });
  const ours = await measured(server.pid, { ...target, perSecond: 0 });
  show('bare node:http', most);
  show('waybill, as many as it answers', ours);
  const share = ours.perSecond / most.perSecond;
  full.push({ perSecond: ours.perSecond, share, cpu: ours.us / most.us });
}
const half: number[] = [];
const perSecond = middle(full.map((round) => round.perSecond)) / 2;
for (let round = 0; round < ROUNDS; round++) {
  const before = bareSync(dir);
  const ours = await measured(server.pid, { ...target, perSecond });
  const after = bareSync(dir);
  show('waybill, at half of that', ours);
  show('write + fdatasync, before, after', { before, after });
  half.push(ours.p99Ms / Math.max(before.p99Ms, after.p99Ms));
}
await new Promise((resolve) => setTimeout(resolve, 7_000));
const sample = Buffer.concat(httpBlocks(11, 8 * 2 ** 20).map(({ bytes }) => bytes));
const gzip6 = sample.length / gzipSync(sample, { level: 6 }).length;
const delivered = acceptedBytes / sink.taken.wireBytes;
show('requests a second, of bare', { share: middle(full.map((round) => round.share)) });
show('CPU a request, of bare', { times: middle(full.map((round) => round.cpu)) });
show('p99 at half load, of bare sync', { times: middle(half) });
show('delivered size, of gzip -6', { times: gzip6 / delivered, ...sink.taken });
show('peak memory', { MiB: peakRssMiB(server.pid) });
await server.stop();
sink.close();
rmSync(dir, { recursive: true });
process.exit();
