/**
 * What cannot be left out of taking `?by=` bodies in and delivering their lines, and nothing else: no token, no bounds, no checksums, no
 * ledger, no plans, no recovery, and a zone is found by the first `"ZoneName":"` of a line, wherever it stands.
 *
 *     node bench/lib/by-bare.ts <port> <sink's port> <file>
 *
 * All of it on one thread but for the write: while one is under way, bodies gather for the next.
 */
import { constants as modes, openSync, writev } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { ServerResponse } from 'node:http';
import { constants, deflateRawSync } from 'node:zlib';
import { limits } from '../../src/model/limits.ts';

const [port, sinkPort, path = ''] = process.argv.slice(2);
const FIELD = Buffer.from('"ZoneName":"');
const file = openSync(path, modes.O_WRONLY | modes.O_CREAT | modes.O_TRUNC | modes.O_DSYNC);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

interface Zone {
  readonly name: string;
  fragments: Buffer[];
  lines: number;
  sinceMs: number;
}
interface Waiting {
  readonly groups: ReadonlyMap<string, { bytes: Buffer[]; lines: number }>;
  readonly lines: number;
  readonly response: ServerResponse;
}

let waiting: Waiting[] = [];
let isWriting = false;
/** With lines to send, oldest first. */
const zones = new Map<string, Zone>();

createServer((asked, response) => {
  const pieces: Buffer[] = [];
  asked.on('data', (piece: Buffer) => pieces.push(piece));
  asked.on('end', () => {
    waiting.push({
      ...grouped(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)),
      response,
    });
    if (!isWriting) setImmediate(commit);
    isWriting = true;
  });
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));

function grouped(body: Buffer): Pick<Waiting, 'groups' | 'lines'> {
  const groups = new Map<string, { bytes: Buffer[]; lines: number }>();
  let lines = 0;
  for (let start = 0; start < body.length; lines++) {
    const end = body.indexOf(10, start) + 1;
    const from = body.indexOf(FIELD, start) + FIELD.length;
    const zone = body.toString('latin1', from, body.indexOf(34, from));
    let group = groups.get(zone);
    if (group === undefined) groups.set(zone, (group = { bytes: [], lines: 0 }));
    group.bytes.push(body.subarray(start, end));
    group.lines++;
    start = end;
  }
  return { groups, lines };
}

function commit(): void {
  const taken = waiting;
  waiting = [];
  const fragments: Buffer[] = [];
  const kept: [string, Buffer, number][] = [];
  for (const { groups } of taken) {
    for (const [zone, { bytes, lines }] of groups) {
      const plain = Buffer.concat(bytes);
      const fragment = deflateRawSync(plain, {
        level: 3,
        finishFlush: constants.Z_SYNC_FLUSH,
        chunkSize: plain.length,
      });
      // zlib hands out views into larger pieces.
      const own = Buffer.from(fragment);
      fragments.push(own);
      kept.push([zone, own, lines]);
    }
  }
  writev(file, fragments, (error) => {
    if (error) throw error;
    for (const { lines, response } of taken) response.end(`{"accepted":${lines}}`);
    for (const one of kept) keep(...one);
    if (waiting.length > 0) setImmediate(commit);
    else isWriting = false;
  });
}

function keep(name: string, fragment: Buffer, lines: number): void {
  let zone = zones.get(name);
  if (zone === undefined) {
    zones.set(name, (zone = { name, fragments: [], lines: 0, sinceMs: performance.now() }));
  }
  zone.fragments.push(fragment);
  zone.lines += lines;
}

const TICKS = 20;
// As often as Waybill sends: each zone once an interval, all together at most so many a second.
setInterval(() => {
  let room = limits.deliver.batchesPerSecond / TICKS;
  for (const [name, zone] of zones) {
    if (room-- <= 0 || performance.now() - zone.sinceMs < limits.deliver.intervalMs) return;
    zones.delete(name);
    const headers = { 'waybill-lines': zone.lines };
    const sent = request({ port: sinkPort, agent, method: 'POST', path: `/${name}`, headers });
    sent.on('response', (answer) => answer.resume());
    sent.end(Buffer.concat(zone.fragments));
  }
}, 1_000 / TICKS);
