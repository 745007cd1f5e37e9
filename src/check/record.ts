/** The buffer's records, read by `docs/formats/record.md`, `block.md` and `index.md` and by nothing of the buffer's own code. */
import { crc32 } from 'node:zlib';

import { parsed, u64 } from './bytes.ts';
import { NewerFormat } from './findings.ts';

/** Heads are of format 3; erasures, and jobs with an end, of format 2; everything else is of format 1. */
const VERSION = 3;
const MAGIC = Buffer.from('WBR1', 'latin1');
const FRAME_BYTES = 24;
const BLOCK_HEADER_BYTES = 88;
const IDENTITY_BYTES = 56;
const PAGE_HEADER_BYTES = 48;
const ENTRY_BYTES = 40;

/** By their numbers in a record's frame. */
const KINDS = [
  undefined,
  'block',
  'genesis',
  'stream',
  'job',
  'plan',
  'waybill',
  'refusals',
  'index',
  'erasure',
  'heads',
] as const;
type OwnJson = 'genesis' | 'stream' | 'job' | 'plan' | 'waybill' | 'refusals' | 'erasure' | 'heads';

export interface Block {
  readonly kind: 'block';
  /** The stream's number. */
  readonly stream: number;
  readonly epoch: string;
  readonly first: number;
  readonly lines: number;
  readonly receivedMs: number;
  /** Lines appended to the shard before this block. */
  readonly linesBefore: number;
  /** Copied forward: it stands elsewhere too, or stood. */
  readonly copied: boolean;
  /** 0 raw, 1 deflate, 2 zstd. */
  readonly codec: number;
  readonly plainBytes: number;
  readonly plainCrc: number;
  readonly stored: Buffer;
  readonly storedCrc: number;
}

/** One line of an index: where a block stands. */
export interface IndexEntry {
  readonly stream: number;
  readonly lines: number;
  readonly first: number;
  readonly position: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly receivedMs: number;
}

export interface IndexPage {
  readonly kind: 'index';
  readonly span: number;
  readonly page: number;
  readonly pages: number;
  readonly entries: readonly IndexEntry[];
}

export type Record =
  | Block
  | IndexPage
  | { readonly kind: OwnJson; readonly body: unknown; readonly bytes: Buffer }
  | { readonly kind: 'damaged'; readonly reason: string };

const damaged = (reason: string): Record => ({ kind: 'damaged', reason });

/** @throws {NewerFormat} for a record of a later version that is whole */
export function readRecord(record: Buffer): Record {
  if (record.length < FRAME_BYTES) return damaged('it is shorter than its frame');
  if (!record.subarray(0, 4).equals(MAGIC)) return damaged('it does not begin as a record');
  const kind = KINDS[record.readUInt8(9)];
  const version = record.readUInt8(8);
  const crc = record.readUInt32LE(4);
  if (version > VERSION && crc32(record.subarray(8)) === crc)
    throw new NewerFormat('a record', version);
  if (version < 1 || version > VERSION) return damaged(`it has format version ${version}`);
  if (kind === undefined)
    return damaged(`it is of kind ${record.readUInt8(9)}, which there is not`);
  if (record.readUInt32LE(12) !== record.length - FRAME_BYTES) return damaged('its length differs');
  if (kind === 'block') return readBlock(record, crc);
  if (crc32(record.subarray(8)) !== crc) return damaged('its CRC-32 differs');
  if (kind === 'index') return readIndexPage(record);
  const bytes = record.subarray(FRAME_BYTES);
  const body = parsed(bytes);
  return body === undefined ? damaged('it is no JSON') : { kind, body, bytes };
}

function readBlock(record: Buffer, crc: number): Record {
  const covered = BLOCK_HEADER_BYTES + record.readUInt16LE(10) * IDENTITY_BYTES;
  if (record.length < covered) return damaged('it is shorter than its header');
  if (crc32(record.subarray(8, covered)) !== crc) return damaged("its header's CRC-32 differs");
  const storedBytes = record.readUInt32LE(80);
  if (record.length !== covered + Math.ceil(storedBytes / 8) * 8)
    return damaged('its length differs');
  const lines = record.readUInt32LE(28);
  for (let at = BLOCK_HEADER_BYTES; at < covered; at += IDENTITY_BYTES) {
    const type = record.readUInt8(at);
    if (type !== 1 && type !== 2) return damaged(`it names a sender of type ${type}`);
    const within = record.readUInt32LE(at + 4) + record.readUInt32LE(at + 8);
    if (within > lines) return damaged('a request in it has more lines than it');
  }
  return {
    kind: 'block',
    stream: record.readUInt32LE(24),
    epoch: record.toString('hex', 32, 40),
    first: u64(record, 40),
    lines,
    receivedMs: u64(record, 48),
    linesBefore: u64(record, 56),
    codec: record.readUInt8(64),
    copied: record.readUInt8(65) === 1,
    plainBytes: record.readUInt32LE(72),
    plainCrc: record.readUInt32LE(76),
    stored: record.subarray(covered, covered + storedBytes),
    storedCrc: record.readUInt32LE(84),
  };
}

function readIndexPage(record: Buffer): Record {
  if (record.length < PAGE_HEADER_BYTES) return damaged('it is shorter than its header');
  const size = record.readUInt32LE(40);
  if (record.length !== PAGE_HEADER_BYTES + size * ENTRY_BYTES)
    return damaged('its length differs');
  const entries = Array.from({ length: size }, (_, index): IndexEntry => {
    const at = PAGE_HEADER_BYTES + index * ENTRY_BYTES;
    return {
      stream: record.readUInt32LE(at),
      lines: record.readUInt32LE(at + 4),
      first: u64(record, at + 8),
      position: u64(record, at + 16),
      plainBytes: record.readUInt32LE(at + 24),
      storedBytes: record.readUInt32LE(at + 28),
      receivedMs: u64(record, at + 32),
    };
  });
  return {
    kind: 'index',
    span: record.readUInt32LE(24),
    page: record.readUInt16LE(28),
    pages: record.readUInt16LE(30),
    entries,
  };
}
