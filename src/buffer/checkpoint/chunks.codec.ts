/**
 * The checkpoint's file: a header of 16 bytes (magic `WBCP`, two bytes of format version, zeros, CRC-32), then chunks, the last
 * of which says how many there are. A chunk: 4 bytes length of its payload, 4 bytes CRC-32 of what follows, 1 byte kind,
 * 3 zero, payload. A file without its last chunk is torn, one with a wrong CRC anywhere damaged: neither is used at all.
 */
import { crc32 } from 'node:zlib';

import { assert } from '../../lib/assert.ts';
import type { OutcomeCounts, Plan, Range } from '../../model/delivery.ts';
import type { ProducerSnapshot } from '../state/producers.ts';
import type { Span } from '../state/spans.ts';
import type { ChainEnd } from '../state/state.ts';

export const FILE_HEADER_BYTES = 16;
export const CHUNK_HEADER_BYTES = 12;
/**
 * The newest format; the two before it are read. A file is written in the oldest one that can say what is in it: erasures
 * and jobs with an end need 2, because who does not know them would deliver their lines.
 */
export const CHECKPOINT_FORMAT = 2;
/** A chunk claiming more than this is damaged: nobody allocates on a flipped bit's word. */
export const CHUNK_BYTES = 64 << 20;
const MAGIC = 0x50434257;

export interface HeadChunk {
  readonly sequence: number;
  /** Replay begins here; everything before is in the checkpoint. */
  readonly position: number;
  /** Blocks from here on are listed by no index yet: replay notes where they stand. */
  readonly tailStart: number;
  readonly serviceMs: number;
  readonly lines: number;
  readonly nextStream: number;
  readonly nextSpan: number;
  readonly refusalSequence: number;
  readonly corruptLines: number;
  readonly damagedBytes: number;
}

/** A stream as [id, key, account, epoch, head, bytes, lastReceivedMs, lastServiceMs, oldest, settledTo, marks,
 * stretches]. */
export type StreamChunk = readonly [
  id: number,
  key: string,
  account: string,
  epoch: string,
  head: number,
  bytes: number,
  lastReceivedMs: number,
  lastServiceMs: number,
  oldest: number,
  settledTo: number,
  marks: readonly number[],
  stretches: readonly number[],
];

export interface JobChunk {
  readonly id: number;
  readonly stream: number;
  readonly start: number;
  readonly cursor: number;
  readonly settled: readonly Range[];
  readonly open: readonly Plan[];
  readonly totals: OutcomeCounts;
  readonly deliveredBytes: number;
  readonly sequence: number;
  readonly chain: string | null;
  readonly lastCompleteMs: number | null;
  readonly closedMs: number | null;
  readonly closedServiceMs: number | null;
  readonly appliedTo: number;
  /** A replay: where its lines end, and the service time at which it began. */
  readonly end?: number;
  readonly openedServiceMs?: number;
}

/** An erasure whose bytes may still be on disk, or whose lines are not all settled. */
export interface ErasureChunk {
  readonly stream: number;
  readonly to: number;
  readonly throughSpan: number;
  readonly serviceMs: number;
}

export type Chunk =
  | { readonly kind: 'head'; readonly body: HeadChunk }
  | { readonly kind: 'streams'; readonly body: readonly StreamChunk[] }
  | { readonly kind: 'jobs'; readonly body: readonly JobChunk[] }
  | { readonly kind: 'chains'; readonly body: readonly (readonly [job: number, end: ChainEnd])[] }
  | { readonly kind: 'keys'; readonly slots: Buffer }
  | { readonly kind: 'producers'; readonly body: readonly ProducerSnapshot[] }
  | { readonly kind: 'spans'; readonly body: readonly Span[] }
  | { readonly kind: 'erasures'; readonly body: readonly ErasureChunk[] }
  /** `chunks`: how many came before. `crc`: over their CRCs in order. */
  | { readonly kind: 'end'; readonly body: { readonly chunks: number; readonly crc: number } };

const KINDS = [
  'head',
  'streams',
  'jobs',
  'keys',
  'producers',
  'spans',
  'end',
  'chains',
  'erasures',
] as const;

export function encodeFileHeader(version = 1): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(version, 4);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  return header;
}

/** The file's format version, or undefined when it is none of ours or damaged: a flipped bit is no newer version. */
export function decodeFileHeader(header: Buffer): number | undefined {
  if (header.length < FILE_HEADER_BYTES || header.readUInt32LE(0) !== MAGIC) return undefined;
  if (header.readUInt32LE(12) !== crc32(header.subarray(0, 12))) return undefined;
  return header.readUInt16LE(4);
}

export function encodeChunk(chunk: Chunk): Buffer {
  const payload = chunk.kind === 'keys' ? chunk.slots : Buffer.from(JSON.stringify(chunk.body));
  assert(payload.length <= CHUNK_BYTES, 'a chunk is no longer than its readers believe');
  const bytes = Buffer.alloc(CHUNK_HEADER_BYTES + payload.length);
  bytes.writeUInt32LE(payload.length, 0);
  bytes.writeUInt8(KINDS.indexOf(chunk.kind), 8);
  payload.copy(bytes, CHUNK_HEADER_BYTES);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

export function payloadBytes(chunkHeader: Buffer): number {
  return chunkHeader.readUInt32LE(0);
}

/** The CRC as it stands in a chunk: what the last chunk sums up. */
export function chunkCrc(chunk: Buffer): number {
  return chunk.readUInt32LE(4);
}

/** @param bytes one chunk, header and payload; undefined when it is damaged */
export function decodeChunk(bytes: Buffer): Chunk | undefined {
  if (chunkCrc(bytes) !== crc32(bytes.subarray(8))) return undefined;
  const kind = KINDS[bytes.readUInt8(8)];
  const payload = bytes.subarray(CHUNK_HEADER_BYTES);
  if (kind === undefined) return undefined;
  if (kind === 'keys') return { kind, slots: payload };
  // Whole by its CRC and of a version that we read, so its shape is the one that we wrote.
  return { kind, body: JSON.parse(payload.toString('utf8')) as unknown } as Chunk;
}
