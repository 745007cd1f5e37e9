/** Checkpoint files, read by `docs/formats/checkpoint.md` and by nothing of the buffer's own code. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import type { FileHandle, FileSystem } from '../lib/fs/file-system.ts';
import { FileBytes, parsed } from './bytes.ts';
import { NewerFormat } from './findings.ts';
import type { Findings } from './findings.ts';
import { integer, list, natural, object, orAbsent, orNull, text, tuple } from './shapes.ts';
import { counts } from './waybill.ts';
import type { Counts } from './waybill.ts';

const NAME = /^checkpoint-\d{12}\.wbc$/;
const MAGIC = Buffer.from('WBCP', 'latin1');
/** 2 is written when there are erasures, or jobs with an end. */
const VERSION = 2;
const HEADER_BYTES = 16;
const CHUNK_HEADER_BYTES = 12;
const CHUNK_BYTES_MAX = 64 << 20;
const HEAD = 0;
const STREAMS = 1;
const JOBS = 2;
const END = 6;
const CHAINS = 7;
const ERASURES = 8;
/** What is looked into here; the other kinds are of no use to the books. */
const JSON_KINDS: ReadonlySet<number> = new Set([HEAD, STREAMS, JOBS, END, CHAINS, ERASURES]);

interface CheckpointHead {
  readonly sequence: number;
  /** Records before it are in the checkpoint. */
  readonly position: number;
  /** The log is needed from here on. */
  readonly tailStart: number;
}

interface CheckpointStream {
  readonly id: number;
  readonly key: string;
  readonly epoch: string;
  readonly head: number;
}

export interface CheckpointJob {
  readonly id: number;
  readonly stream: number;
  readonly start: number;
  /** A replay: where its lines end. */
  readonly end?: number;
  readonly cursor: number;
  readonly settled: readonly { readonly from: number; readonly to: number }[];
  readonly totals: Counts;
  /** Number and hash of its newest waybill. */
  readonly sequence: number;
  readonly chain: string | null;
}

/** Where a chain of waybills stood: number and hash of the last one. */
export interface ChainEnd {
  readonly sequence: number;
  readonly chain: string | null;
}

export interface Checkpoint {
  readonly name: string;
  readonly head: CheckpointHead;
  readonly streams: readonly CheckpointStream[];
  readonly jobs: readonly CheckpointJob[];
  /** Of jobs whose cursor was given up. */
  readonly former: ReadonlyMap<number, ChainEnd>;
  /** Before which offset nothing is read any more, by the stream's number. */
  readonly erased: ReadonlyMap<number, number>;
}

/**
 * The whole checkpoints of a folder, oldest first; what is wrong with others goes to `findings`.
 *
 * @throws {NewerFormat} for a file that a later version wrote; FsError when the disk does not answer
 */
export async function readCheckpoints(
  files: FileSystem,
  directory: string,
  findings: Findings,
): Promise<Checkpoint[]> {
  const found: Checkpoint[] = [];
  for (const name of (await files.list(directory)).filter((one) => NAME.test(one))) {
    const file = await files.open(join(directory, name), 'read');
    try {
      const read = await readCheckpoint(name, file);
      if (typeof read === 'string') findings.add(`${name}: ${read}`);
      else found.push(read);
    } finally {
      await file.close();
    }
  }
  return found.toSorted((a, b) => a.head.sequence - b.head.sequence);
}

/** A stream as it stands in a chunk; what is behind its head is of no use here. */
type StreamTuple = readonly [id: number, key: string, account: string, epoch: string, head: number];

const isHead = object<CheckpointHead>({ sequence: natural, position: natural, tailStart: natural });
const isStreams = list(tuple<StreamTuple>(natural, text, text, text, natural));
const isJobs = list(
  object<CheckpointJob>({
    id: integer,
    stream: natural,
    start: natural,
    end: orAbsent(natural),
    cursor: natural,
    settled: list(object<CheckpointJob['settled'][number]>({ from: natural, to: natural })),
    totals: counts,
    sequence: natural,
    chain: orNull(text),
  }),
);
const isChains = list(
  tuple<readonly [job: number, end: ChainEnd]>(
    integer,
    object<ChainEnd>({ sequence: natural, chain: orNull(text) }),
  ),
);
const isErasures = list(
  object<{ readonly stream: number; readonly to: number }>({ stream: natural, to: natural }),
);
const isEnd = object<{ readonly chunks: number; readonly crc: number }>({
  chunks: natural,
  crc: natural,
});

async function readCheckpoint(name: string, file: FileHandle): Promise<Checkpoint | string> {
  const bytes = new FileBytes(file, await file.sizeBytes());
  const header = await bytes.at(0, HEADER_BYTES);
  if (header.length < HEADER_BYTES) return 'its header is cut short';
  if (!header.subarray(0, 4).equals(MAGIC)) return 'it does not begin as a checkpoint';
  if (header.readUInt32LE(12) !== crc32(header.subarray(0, 12)))
    return "its header's CRC-32 differs";
  const version = header.readUInt16LE(4);
  if (version > VERSION) throw new NewerFormat(name, version);
  if (version < 1) return `it has format version ${version}`;

  return readChunks(name, bytes);
}

async function readChunks(name: string, bytes: FileBytes): Promise<Checkpoint | string> {
  let head: CheckpointHead | undefined;
  const streams: CheckpointStream[] = [];
  const jobs: CheckpointJob[] = [];
  const former = new Map<number, ChainEnd>();
  const erased = new Map<number, number>();
  let chunks = 0;
  let crcOfAll = 0;
  for (let at = HEADER_BYTES; ; chunks += 1) {
    const chunk = await chunkAt(bytes, at);
    if (typeof chunk === 'string') return `${chunk} at byte ${at}`;
    const { kind, payload } = chunk;
    const body = JSON_KINDS.has(kind) ? parsed(payload) : undefined;
    if (kind === END && isEnd(body)) {
      if (body.chunks !== chunks || body.crc !== crcOfAll || !head) return 'a chunk is missing';
      return { name, head, streams, jobs, former, erased };
    }
    if (kind === HEAD && isHead(body)) head = body;
    else if (kind === STREAMS && isStreams(body)) {
      for (const [id, key, , epoch, reached] of body)
        streams.push({ id, key, epoch, head: reached });
    } else if (kind === JOBS && isJobs(body)) for (const job of body) jobs.push(job);
    else if (kind === CHAINS && isChains(body)) for (const [job, end] of body) former.set(job, end);
    else if (kind === ERASURES && isErasures(body))
      for (const { stream, to } of body) erased.set(stream, to);
    else if (JSON_KINDS.has(kind)) return `a chunk cannot be understood at byte ${at}`;
    crcOfAll = crc32(chunk.crcBytes, crcOfAll);
    at += CHUNK_HEADER_BYTES + payload.length;
  }
}

async function chunkAt(bytes: FileBytes, at: number) {
  const head = await bytes.at(at, CHUNK_HEADER_BYTES);
  if (head.length < CHUNK_HEADER_BYTES) return 'it ends too early';
  const length = head.readUInt32LE(0);
  if (length > CHUNK_BYTES_MAX) return 'a chunk is longer than there are any';
  const whole = await bytes.at(at, CHUNK_HEADER_BYTES + length);
  if (whole.length < CHUNK_HEADER_BYTES + length) return 'a chunk is cut short';
  if (crc32(whole.subarray(8)) !== whole.readUInt32LE(4)) return "a chunk's CRC-32 differs";
  return {
    kind: whole.readUInt8(8),
    crcBytes: whole.subarray(4, 8),
    payload: whole.subarray(CHUNK_HEADER_BYTES),
  };
}
