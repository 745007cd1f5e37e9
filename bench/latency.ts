/**
 * Question: how long from a line's POST to its arrival, under light load?
 *
 *     node bench/latency.ts [seconds]
 *
 * Bars: with a delivery interval of 1 s, p99 at an HTTP destination below 1.5 s; Instant Logs p99 below 250 ms.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantile } from './lib/posts.ts';
import { oneJob, startServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const SECONDS = Number(process.argv[2] ?? 30);
/** Light load: one small request every so often. */
const EVERY_MS = 20;

const dir = mkdtempSync(join(tmpdir(), 'waybill-latency-'));
const sentMs = new Map<number, number>();
const delivered: number[] = [];
const live: number[] = [];
const answered: number[] = [];

/** Each line says its number in `ClientRequestBytes`. */
function numbersIn(text: string): number[] {
  return [...text.matchAll(/"ClientRequestBytes":(\d+)/g)].map(([, number]) => Number(number));
}

const sink = await openSink((plain) => {
  const nowMs = performance.now();
  for (const n of numbersIn(plain.toString())) delivered.push(nowMs - sentMs.get(n)!);
});
const server = await startServer({ dir, flags: ['--deliver-interval-ms', '1000'] });
const token = await oneJob(server, `http://127.0.0.1:${sink.port}/`);
const { result } = (await server.call('POST', '/client/v4/zones/bench/logpush/edge/jobs', {
  fields: 'ClientRequestBytes',
  sample: 1,
  filter: '',
})) as { result: { destination_conf: string } };
const socket = new WebSocket(result.destination_conf);
await new Promise((resolve) => socket.addEventListener('open', resolve));
socket.addEventListener('message', ({ data }) => {
  const nowMs = performance.now();
  for (const n of numbersIn(String(data))) live.push(nowMs - sentMs.get(n)!);
});
// The shard hears of the session a moment after it stands.
await new Promise((resolve) => setTimeout(resolve, 500));

const url = `http://127.0.0.1:${server.ingestPort}/v1/ingest/zones/bench/http_requests`;
const headers = { authorization: `Bearer ${token}` };
const lines = Math.floor((SECONDS * 1_000) / EVERY_MS);
for (let n = 0; n < lines; n++) {
  const began = performance.now();
  sentMs.set(n, began);
  const body = `{"ClientRequestBytes":${n},"ClientRequestURI":"${'/a'.repeat(200)}"}\n`;
  void fetch(url, { method: 'POST', headers, body }).then(async (answer) => {
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`refused with ${answer.status}`);
    answered.push(performance.now() - began);
  });
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS - (performance.now() - began)));
}
for (let waited = 0; delivered.length < lines && waited < 10_000; waited += 100) {
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const show = (name: string, tookMs: readonly number[]): void => {
  const sorted = Float64Array.from(tookMs).sort();
  const [p50Ms, p99Ms] = [0.5, 0.99].map((share) => Math.round(quantile(sorted, share) * 10) / 10);
  console.log(name.padEnd(16), { lines: tookMs.length, p50Ms, p99Ms, mostMs: sorted.at(-1) });
};
show('answered', answered);
show('at destination', delivered);
show('Instant Logs', live);
if (delivered.length !== lines) process.exitCode = 1;
socket.close();
await server.stop();
sink.close();
rmSync(dir, { recursive: true });
