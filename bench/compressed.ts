/**
 * Question: what do bodies cost that producers have compressed, beside the same lines sent plain?
 *
 *     node bench/compressed.ts [seconds]
 *
 * Bar: at least the rate of plain bodies, counted in plain bytes. Load: bodies of 1 MiB plain over 4 connections, made
 * beforehand, in turn within one server; one whole-line job.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { httpBlocks } from './lib/http-lines.ts';
import { sendBodies } from './lib/bodies.ts';
import { cpuSeconds, peakRssMiB } from './lib/process-stats.ts';
import { oneJob, startServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const SECONDS = Number(process.argv[2] ?? 10);
const ROUNDS = 3;
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
const server = await startServer({ dir });
const token = await oneJob(server, `http://127.0.0.1:${sink.port}/`);
const rates: Record<string, number[]> = {};
for (let round = 0; round < ROUNDS; round++) {
  for (const [coding, made] of Object.entries(bodies)) {
    const before = cpuSeconds(server.pid);
    const { answered, seconds, failed } = await sendBodies({
      port: server.ingestPort,
      paths: ['/v1/ingest/zones/bench/http_requests'],
      headers: { authorization: `Bearer ${token}`, 'content-encoding': coding },
      bodies: made,
      connections: 4,
      seconds: SECONDS,
    });
    const megabytes = (answered * plainBytes) / 1e6;
    (rates[coding] ??= []).push(megabytes / seconds);
    console.log(coding.padEnd(10), {
      plainMBs: Math.round(megabytes / seconds),
      cpuPerGB: Math.round(((cpuSeconds(server.pid) - before) / megabytes) * 10_000) / 10,
      failed,
    });
  }
}
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[1]!;
for (const coding of ['gzip', 'zstd']) {
  console.log(`${coding} of plain`.padEnd(16), median(rates[coding]!) / median(rates['identity']!));
}
console.log('peak memory', { MiB: peakRssMiB(server.pid) });
await server.stop();
sink.close();
rmSync(dir, { recursive: true });
process.exit();
