/**
 * Question: does a second shard pay, and what does it cost?
 *
 *     node bench/shards.ts [seconds] [rounds] [streams]
 *
 * One and two shards in turn, each on a fresh folder: requests of one line over 256 connections to whole-line jobs, then bodies
 * of 1 MiB to jobs that filter and project, as many streams as said (4). A load ends when everything is settled.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sendBodies } from './lib/bodies.ts';
import { cutBodies } from './lib/http-lines.ts';
import { post } from './lib/posts.ts';
import { cpuByThread, cpuSeconds, peakRssMiB } from './lib/process-stats.ts';
import { ingestToken, startServer } from './lib/server.ts';
import type { BenchServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';
import { waybill } from './peers/waybill.ts';

const SECONDS = Number(process.argv[2] ?? 6);
const ROUNDS = Number(process.argv[3] ?? 2);
const STREAMS = Number(process.argv[4] ?? 4);
const CONNECTIONS = 256;
const bodies = cutBodies(32 * 2 ** 20, 2 ** 20);
const sink = await openSink();

async function makeZones(server: BenchServer, kind: 'whole' | 'project'): Promise<string[]> {
  const zones = Array.from({ length: STREAMS }, (_, n) => `${kind}${n}`);
  for (const zone of zones) {
    await server.call('PUT', `/v1/zones/${zone}`, { account: 'bench', name: `${zone}.example` });
    await server.call('POST', `/client/v4/zones/${zone}/logpush/jobs`, {
      dataset: 'http_requests',
      enabled: true,
      destination_conf: `http://127.0.0.1:${sink.port}/`,
      ...waybill.variants[kind]!.job,
    });
  }
  return zones.map((zone) => `/v1/ingest/zones/${zone}/http_requests`);
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

async function settled(server: BenchServer): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (sum((await server.metrics(/^waybill_lines_waiting/)).values()) === 0) return;
  }
}

/** Runs a load until all of it is settled. */
async function measured(server: BenchServer, load: () => Promise<{ bytes: number; row: object }>) {
  const before = { cpu: cpuSeconds(server.pid), ms: performance.now() };
  const threadsBefore = cpuByThread(server.pid);
  const { bytes, row } = await load();
  await settled(server);
  const seconds = (performance.now() - before.ms) / 1_000;
  const cpu = cpuSeconds(server.pid) - before.cpu;
  return {
    ...row,
    endToEndMBps: Math.round(bytes / 1e6 / seconds),
    cpuSperGB: Number((cpu / (bytes / 1e9)).toFixed(1)),
    cores: Number((cpu / seconds).toFixed(2)),
    sPerGBOf: Object.fromEntries(
      [...cpuByThread(server.pid)]
        .map(([name, after]) => [name, (after - (threadsBefore.get(name) ?? 0)) / (bytes / 1e9)])
        .filter(([, value]) => Number(value) >= 0.1)
        .map(([name, value]) => [name, Number(Number(value).toFixed(1))]),
    ),
  };
}

async function lineByLine(port: number, paths: readonly string[], authorization: string) {
  const results = await Promise.all(
    paths.map((path) =>
      post({
        port,
        path,
        headers: { authorization },
        connections: CONNECTIONS / paths.length,
        seconds: SECONDS,
        perSecond: 0,
        linesPerPost: 1,
      }),
    ),
  );
  const answered = sum(results.map((result) => result.answered));
  const row = {
    perSecond: sum(results.map(({ perSecond }) => perSecond)),
    p99Ms: Math.round(Math.max(...results.map(({ p99Ms }) => p99Ms))),
    failed: sum(results.map(({ failed }) => failed)),
    answered,
  };
  return { bytes: sum(results.map(({ plainBytes }) => plainBytes)), row };
}

async function largeBodies(port: number, paths: readonly string[], authorization: string) {
  const { answered, taken, seconds } = await sendBodies({
    port,
    paths,
    headers: { authorization },
    bodies,
    connections: 8,
    seconds: SECONDS,
  });
  const bytes = sum(taken.map((times, index) => times * bodies[index]!.length));
  return { bytes, row: { intakeMBps: Math.round(bytes / 1e6 / seconds), answered } };
}

for (let round = 1; round <= ROUNDS; round++) {
  for (const shards of round % 2 === 1 ? [1, 2] : [2, 1]) {
    const dir = mkdtempSync(join(tmpdir(), 'waybill-shards-'));
    const server = await startServer({ dir, flags: ['--process-shards', String(shards)] });
    await server.call('PUT', '/v1/accounts/bench', { name: 'bench' });
    const whole = await makeZones(server, 'whole');
    const project = await makeZones(server, 'project');
    const authorization = `Bearer ${await ingestToken(server)}`;
    const small = await measured(server, () => lineByLine(server.ingestPort, whole, authorization));
    console.log(`${shards} shards, one line`.padEnd(22), small);
    const large = await measured(server, () =>
      largeBodies(server.ingestPort, project, authorization),
    );
    console.log(`${shards} shards, projection`.padEnd(22), large);
    console.log(`${shards} shards, peak memory`.padEnd(22), { MiB: peakRssMiB(server.pid) });
    await server.stop();
    rmSync(dir, { recursive: true });
  }
}
sink.close();
process.exit();
