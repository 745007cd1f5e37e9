/**
 * Question: what do bodies cost that producers have compressed, beside the same lines sent plain?
 *
 *     node bench/compressed.ts [seconds] [bare]
 *
 * Bar: at least the rate of plain bodies, counted in plain bytes. Load: bodies of 1 MiB plain over 4 connections, made
 * beforehand, in turn within one server, each round in another order; one whole-line job. With `bare` the server is one that does only
 * what cannot be left out (`lib/coded-bare.ts`).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { httpBlocks } from './lib/http-lines.ts';
import { sendBodies } from './lib/bodies.ts';
import { cpuSeconds, peakRssMiB } from './lib/process-stats.ts';
import { oneJob, startServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const SECONDS = Number(process.argv[2] ?? 10);
const ROUNDS = 6;
const MIB = 2 ** 20;

const plain = httpBlocks(11, 16 * MIB).map(({ bytes }) => bytes);
const bodies = {
  identity: plain,
  gzip: plain.map((bytes) => gzipSync(bytes, { level: 6 })),
  zstd: plain.map((bytes) => zstdCompressSync(bytes)),
};
const plainBytes = plain.reduce((sum, { length }) => sum + length, 0) / plain.length;

const dir = mkdtempSync(join(tmpdir(), 'waybill-compressed-'));
const sink = await openSink(undefined, false);
const BARE_PORT = 18_098;
const server = process.argv[3] === 'bare' ? await startBare() : await startWhole();
const { token } = server;
const rates: Record<string, number[]> = {};
const codings = Object.keys(bodies) as (keyof typeof bodies)[];
/** Seconds that the machine's cores had nothing to do. */
const idleSeconds = (): number => cpus().reduce((sum, { times }) => sum + times.idle / 1_000, 0);
for (let round = 0; round < ROUNDS; round++) {
  for (let turn = 0; turn < codings.length; turn++) {
    const coding = codings[(round + turn) % codings.length]!;
    const made = bodies[coding];
    const before = cpuSeconds(server.pid);
    const ownBefore = process.cpuUsage();
    const idleBefore = idleSeconds();
    const { answered, seconds, failed } = await sendBodies({
      port: server.ingestPort,
      paths: ['/v1/ingest/zones/bench/http_requests'],
      headers: { authorization: `Bearer ${token}`, 'content-encoding': coding },
      bodies: made,
      connections: 4,
      seconds: SECONDS,
    });
    const megabytes = (answered * plainBytes) / 1e6;
    const own = process.cpuUsage(ownBefore);
    const perGB = (cpuS: number): number => Math.round((cpuS / megabytes) * 10_000) / 10;
    (rates[coding] ??= []).push(megabytes / seconds);
    console.log(coding.padEnd(10), {
      plainMBs: Math.round(megabytes / seconds),
      cpuPerGB: perGB(cpuSeconds(server.pid) - before),
      loadCpuPerGB: perGB((own.user + own.system) / 1e6),
      idleCores: Math.round(((idleSeconds() - idleBefore) / seconds) * 100) / 100,
      failed,
    });
  }
}
async function startWhole() {
  const server = await startServer({ dir });
  const token = await oneJob(server, `http://127.0.0.1:${sink.port}/`);
  return { ingestPort: server.ingestPort, pid: server.pid, token, stop: () => server.stop() };
}

async function startBare() {
  const script = new URL('./lib/coded-bare.ts', import.meta.url).pathname;
  const bare = spawn(process.execPath, [script, String(BARE_PORT), join(dir, 'log')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.on('exit', () => bare.kill());
  await new Promise((resolve) => bare.stdout.once('data', resolve));
  return { ingestPort: BARE_PORT, pid: bare.pid!, token: '', stop: async () => void bare.kill() };
}

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[ROUNDS / 2 - 1]! + sorted[ROUNDS / 2]!) / 2;
};
for (const coding of ['gzip', 'zstd']) {
  console.log(`${coding} of plain`.padEnd(16), median(rates[coding]!) / median(rates['identity']!));
}
console.log('peak memory', { MiB: peakRssMiB(server.pid) });
await server.stop();
sink.close();
rmSync(dir, { recursive: true });
process.exit();
