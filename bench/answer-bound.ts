/**
 * Question: how short can the p99 of an answer be on this machine, with Node and a sync before each answer?
 *
 *     node bench/answer-bound.ts [requests a second] [rounds]
 *
 * The same paced load of one line a request, in turn, against a `node:http` server that only answers, one that gathers bodies,
 * writes and syncs them together and then answers (no tokens, checks, framing, blocks or deliveries), and Waybill; after each round a
 * bare write and fdatasync, alone.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bareSync } from './lib/bare-sync.ts';
import { post } from './lib/posts.ts';
import { cpuSeconds } from './lib/process-stats.ts';
import { oneJob, startServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const PER_SECOND = Number(process.argv[2] ?? 4_000);
const ROUNDS = Number(process.argv[3] ?? 2);
const dir = mkdtempSync(join(tmpdir(), 'waybill-bound-'));

const ANSWERS = `require('node:http').createServer((q, s) => {
  q.on('data', () => {});
  q.on('end', () => s.end('{"accepted":1}'));
}).listen(18390, '127.0.0.1')`;
const SYNCS = `const fs = require('node:fs');
const file = fs.openSync(${JSON.stringify(join(dir, 'bound'))}, 'w');
let waiting = [], busy = false, at = 0;
const commit = () => {
  const taken = waiting;
  waiting = [];
  const bytes = Buffer.concat(taken.flatMap(({ pieces }) => pieces));
  fs.write(file, bytes, 0, bytes.length, at, () => fs.fdatasync(file, () => {
    at += bytes.length;
    for (const { answer } of taken) answer.end('{"accepted":1}');
    if (waiting.length > 0) setImmediate(commit);
    else busy = false;
  }));
};
require('node:http').createServer((q, answer) => {
  const pieces = [];
  q.on('data', (piece) => pieces.push(piece));
  q.on('end', () => {
    waiting.push({ pieces, answer });
    if (!busy) setImmediate(commit);
    busy = true;
  });
}).listen(18391, '127.0.0.1')`;

const answers = spawn(process.execPath, ['-e', ANSWERS], { stdio: 'inherit' });
const syncs = spawn(process.execPath, ['-e', SYNCS], { stdio: 'inherit' });
process.on('exit', () => {
  answers.kill();
  syncs.kill();
});
const sink = await openSink(undefined, false);
const server = await startServer({ dir });
const token = await oneJob(server, `http://127.0.0.1:${sink.port}/`);
const load = {
  connections: 256,
  linesPerPost: 1,
  headers: { authorization: `Bearer ${token}` },
  path: '/v1/ingest/zones/bench/http_requests',
  perSecond: PER_SECOND,
};
const servers = [
  { name: 'answers', port: 18_390, pid: answers.pid! },
  { name: 'writes, syncs, answers', port: 18_391, pid: syncs.pid! },
  { name: 'waybill', port: server.ingestPort, pid: server.pid },
];
for (const { port } of servers) await post({ ...load, port, seconds: 2 });
for (let round = 0; round < ROUNDS; round++) {
  for (const { name, port, pid } of servers) {
    const before = cpuSeconds(pid);
    const { answered, plainBytes: _, ...result } = await post({ ...load, port, seconds: 3 });
    const us = Math.round(((cpuSeconds(pid) - before) / answered) * 1e6);
    console.log(name.padEnd(24), { ...result, us });
  }
  console.log('write + fdatasync'.padEnd(24), bareSync(dir));
}
await server.stop();
sink.close();
rmSync(dir, { recursive: true });
process.exit();
