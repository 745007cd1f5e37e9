/**
 * Every byte of a data folder's files flipped in turn, in pieces: those of the shard (segments with their indexes, checkpoints,
 * archive), of the configuration (store, copy, key) and of the ledger. For each, what is left is opened as a start would.
 *
 *   node test/proof/sweep-all.ts --processes 2 --minutes 120
 *
 * `--rooms shard,ledger` leaves the other one out.
 * Exit code 1 when a byte made trouble, or when time was up first.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { inPieces } from '../support/pieces.ts';
import { temporaryFolder } from '../support/server.ts';
import { filesOf, makeFolder } from './folder.ts';
import { startReceiver } from './rig.ts';
import { CONTROL_FILES, sweepControl } from './sweep-control.ts';
import { LEDGER_FILES, sweepLedger } from './sweep-ledger.ts';
import { EMPTY, sweepShard } from './sweep.ts';
import type { Stretch, Sweep } from './sweep.ts';

const ROOMS = ['shard', 'control', 'ledger'] as const;
type Room = (typeof ROOMS)[number];

/** Bytes of a piece: some minutes of work at most. */
const PIECE_BYTES: Readonly<Record<Room, number>> = {
  shard: 1_500,
  control: 2_500,
  ledger: 20_000,
};

interface Piece extends Sweep {
  readonly room: Room;
  readonly cpuSeconds: number;
}

export interface SweepReport {
  /** By room: bytes of its files, and bytes that were flipped. */
  readonly rooms: Readonly<Record<Room, { bytes: number; flips: number }>>;
  readonly cpuSeconds: number;
  readonly problems: readonly string[];
  readonly unfinished: number;
}

export interface SweepOptions {
  /** A data folder; it is only read. */
  readonly directory: string;
  readonly processes: number;
  readonly mostMs: number;
  readonly chosen?: readonly Room[];
  readonly say?: (text: string) => void;
}

export async function sweepAll(options: SweepOptions): Promise<SweepReport> {
  const { chosen = ROOMS, directory, mostMs, processes, say = () => {} } = options;
  const rooms = { shard: room(), control: room(), ledger: room() };
  const problems: string[] = [];
  const pieces: string[][] = [];
  let cpuSeconds = 0;
  for (const name of chosen) {
    rooms[name].bytes = await bytesOf(directory, name);
    for (let from = 0; from < rooms[name].bytes; from += PIECE_BYTES[name]) {
      const to = Math.min(from + PIECE_BYTES[name], rooms[name].bytes);
      const stretch = ['--from', String(from), '--to', String(to)];
      pieces.push(['--folder', directory, '--room', name, ...stretch]);
    }
  }
  const unfinished = await inPieces<Piece>({
    script: fileURLToPath(import.meta.url),
    pieces,
    processes,
    mostMs,
    done(piece) {
      rooms[piece.room].flips += piece.flips;
      cpuSeconds += piece.cpuSeconds;
      problems.push(...piece.problems);
      for (const problem of piece.problems) say(problem);
      const { bytes, flips } = rooms[piece.room];
      say(`${piece.room}: ${flips} of ${bytes} bytes, ${problems.length} problems in all`);
    },
  });
  return { rooms, cpuSeconds, problems, unfinished };
}

const room = () => ({ bytes: 0, flips: 0 });

/** How many bytes the files have that a room's sweep goes through. */
async function bytesOf(directory: string, name: Room): Promise<number> {
  let bytes = 0;
  for (const [path, content] of await filesOf(directory)) {
    const [, inShard] = /^shards\/0\/(.*)$/.exec(path) ?? [];
    const wanted =
      name === 'shard'
        ? inShard !== undefined && !EMPTY.test(inShard)
        : (name === 'control' ? CONTROL_FILES : LEDGER_FILES).test(path);
    if (wanted) bytes += content.length;
  }
  return bytes;
}

async function sweepPiece(name: Room, folder: string, stretch: Stretch): Promise<Sweep> {
  switch (name) {
    case 'shard':
      return sweepShard(folder, Infinity, stretch);
    case 'control': {
      const work = await mkdtemp(join(tmpdir(), 'waybill-sweep-control-'));
      const found = await sweepControl(folder, work, Infinity, stretch);
      await rm(work, { recursive: true });
      return found;
    }
    case 'ledger':
      return sweepLedger(folder, Infinity, stretch);
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      processes: { type: 'string', default: '2' },
      minutes: { type: 'string', default: '120' },
      rooms: { type: 'string', default: ROOMS.join() },
      /** A piece by itself. */
      room: { type: 'string' },
      folder: { type: 'string', default: '' },
      from: { type: 'string', default: '0' },
      to: { type: 'string', default: 'Infinity' },
    },
  });
  const piece = ROOMS.find((name) => name === values.room);
  if (piece !== undefined) {
    const stretch = { from: Number(values.from), to: Number(values.to) };
    const found = await sweepPiece(piece, values.folder, stretch);
    const { system, user } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1e6;
    process.stdout.write(`${JSON.stringify({ ...found, room: piece, cpuSeconds })}\n`);
    process.exit(0);
  }
  const until = performance.now() + Number(values.minutes) * 60_000;
  const receiver = await startReceiver();
  for (const killed of [false, true]) {
    const root = await temporaryFolder('sweep');
    const directory = join(root.path, 'data');
    receiver.clear();
    receiver.closed.clear();
    await makeFolder(directory, receiver, { bodies: 2, linesPerBody: 3, killed });
    const say = (text: string): void => void process.stdout.write(`${text}\n`);
    say(killed ? 'the folder of a killed server' : 'the folder of a server that ended in order');
    const report = await sweepAll({
      directory,
      processes: Number(values.processes),
      mostMs: Math.max(0, until - performance.now()),
      chosen: ROOMS.filter((name) => values.rooms.split(',').includes(name)),
      say,
    });
    say(JSON.stringify(report));
    if (report.problems.length + report.unfinished > 0) process.exitCode = 1;
    else await root.remove();
  }
  receiver.close();
}
