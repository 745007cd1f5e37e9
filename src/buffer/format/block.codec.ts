/**
 * A block as one record: frame, header, identities, stored lines, zeros up to a multiple of eight bytes.
 *
 * | at | bytes | what |
 * | --- | --- | --- |
 * | 24 | 4 | stream's number |
 * | 28 | 4 | lines |
 * | 32 | 8 | epoch, as its hex digits read |
 * | 40 | 8 | first offset |
 * | 48 | 8 | reception, milliseconds since 1970 UTC |
 * | 56 | 8 | lines appended to the shard before this block: a jump tells how many lines damage took |
 * | 64 | 1 | codec: 0 raw, 1 deflate fragment ended by a sync flush, 2 zstd frame |
 * | 65 | 1 | 1: copied forward, 0: first writing |
 * | 66 | 2 | zero |
 * | 68 | 4 | key id; 0: in clear |
 * | 72 | 4 | plain bytes |
 * | 76 | 4 | CRC-32 of the plain bytes |
 * | 80 | 4 | stored bytes |
 * | 84 | 4 | CRC-32 of the stored bytes |
 * | 88 | 56 each | identities |
 *
 * An identity: 1 type (1 key, 2 producer), 3 zero, 4 first line within the block, 4 lines within the block, 4 lines of the
 * whole request, 8 the request's first offset, 4 plain bytes and 4 CRC-32 of the whole request, 24 of who it is (a key's
 * hash and 8 zeros; or producer, epoch and sequence). A request that spans several blocks stands in each of them, so that
 * a repeat is answered with its whole range whichever block is left.
 */
import { crc32 } from 'node:zlib';

import type { Codec, RequestIdentity } from '../contract.ts';
import { crcHolds, damaged, FRAME_BYTES, readFrame, sealFrame, writeFrame } from './frame.ts';
import type { Unreadable } from './frame.ts';
import { readU64, writeU64 } from './u64.ts';

export const BLOCK_HEADER_BYTES = 88;
export const IDENTITY_BYTES = 56;
const CODECS: readonly Codec[] = ['raw', 'deflate', 'zstd'];
const TYPE_KEY = 1;
const TYPE_PRODUCER = 2;
const PADDING = Buffer.alloc(8);
const NO_IDENTITIES: readonly IdentityEntry[] = [];

/** A request as its blocks remember it: who sent it, which lines it became, and what it looked like. */
export interface IdentityEntry {
  readonly identity: RequestIdentity;
  readonly lineStart: number;
  readonly lines: number;
  readonly requestFirst: number;
  readonly requestLines: number;
  readonly requestBytes: number;
  readonly requestCrc: number;
}

export interface BlockHeader {
  readonly stream: number;
  readonly epoch: string;
  readonly first: number;
  readonly lines: number;
  readonly receivedMs: number;
  readonly serviceMs: number;
  readonly linesBefore: number;
  readonly copied: boolean;
  readonly codec: Codec;
  readonly plainBytes: number;
  readonly plainCrc: number;
  readonly storedCrc: number;
  readonly identities: readonly IdentityEntry[];
}

export interface BlockRecord extends BlockHeader {
  readonly kind: 'block';
  /** A view into the record as read. */
  readonly stored: Buffer;
}

/** The parts of the record; `stored` is taken as it is, without a copy. */
export function encodeBlock(block: BlockHeader, stored: Buffer): readonly Buffer[] {
  const covered = BLOCK_HEADER_BYTES + block.identities.length * IDENTITY_BYTES;
  const padding = (8 - (stored.length % 8)) % 8;
  const head = Buffer.alloc(covered);
  writeFrame(head, {
    kind: 'block',
    identities: block.identities.length,
    payloadBytes: covered - FRAME_BYTES + stored.length + padding,
    serviceMs: block.serviceMs,
  });
  head.writeUInt32LE(block.stream, 24);
  head.writeUInt32LE(block.lines, 28);
  head.write(block.epoch, 32, 8, 'hex');
  writeU64(head, block.first, 40);
  writeU64(head, block.receivedMs, 48);
  writeU64(head, block.linesBefore, 56);
  head.writeUInt8(CODECS.indexOf(block.codec), 64);
  head.writeUInt8(block.copied ? 1 : 0, 65);
  head.writeUInt32LE(block.plainBytes, 72);
  head.writeUInt32LE(block.plainCrc, 76);
  head.writeUInt32LE(stored.length, 80);
  head.writeUInt32LE(block.storedCrc, 84);
  block.identities.forEach((entry, index) => {
    writeIdentity(head, BLOCK_HEADER_BYTES + index * IDENTITY_BYTES, entry);
  });
  sealFrame(head);
  return padding === 0 ? [head, stored] : [head, stored, PADDING.subarray(0, padding)];
}

function writeIdentity(head: Buffer, at: number, entry: IdentityEntry): void {
  head.writeUInt8(entry.identity.kind === 'key' ? TYPE_KEY : TYPE_PRODUCER, at);
  head.writeUInt32LE(entry.lineStart, at + 4);
  head.writeUInt32LE(entry.lines, at + 8);
  head.writeUInt32LE(entry.requestLines, at + 12);
  writeU64(head, entry.requestFirst, at + 16);
  head.writeUInt32LE(entry.requestBytes, at + 24);
  head.writeUInt32LE(entry.requestCrc, at + 28);
  if (entry.identity.kind === 'key') {
    entry.identity.hash.copy(head, at + 32, 0, 16);
  } else {
    head.writeBigUInt64LE(entry.identity.producer, at + 32);
    writeU64(head, entry.identity.epoch, at + 40);
    writeU64(head, entry.identity.sequence, at + 48);
  }
}

function readIdentity(head: Buffer, at: number): IdentityEntry | undefined {
  const type = head.readUInt8(at);
  if (type !== TYPE_KEY && type !== TYPE_PRODUCER) return undefined;
  const identity: RequestIdentity =
    type === TYPE_KEY
      ? { kind: 'key', hash: Buffer.from(head.subarray(at + 32, at + 48)) }
      : {
          kind: 'producer',
          producer: head.readBigUInt64LE(at + 32),
          epoch: readU64(head, at + 40),
          sequence: readU64(head, at + 48),
        };
  return {
    identity,
    lineStart: head.readUInt32LE(at + 4),
    lines: head.readUInt32LE(at + 8),
    requestLines: head.readUInt32LE(at + 12),
    requestFirst: readU64(head, at + 16),
    requestBytes: head.readUInt32LE(at + 24),
    requestCrc: head.readUInt32LE(at + 28),
  };
}

/**
 * The block of a record, its header verified.
 *
 * @param lines `verify`: also look at the stored bytes' CRC-32. `skip`: recovery, which only counts
 */
export function decodeBlock(record: Buffer, lines: 'verify' | 'skip'): BlockRecord | Unreadable {
  const frame = readFrame(record);
  if (frame.kind === 'damaged' || frame.kind === 'newer') return frame;
  if (frame.kind !== 'block') return damaged(`a ${frame.kind} where a block should be`);
  const covered = BLOCK_HEADER_BYTES + frame.identities * IDENTITY_BYTES;
  if (record.length < covered) return damaged('shorter than its header');
  if (!crcHolds(record, covered)) return damaged('CRC-32 of the header differs');
  const storedBytes = record.readUInt32LE(80);
  const padding = (8 - (storedBytes % 8)) % 8;
  if (record.length !== covered + storedBytes + padding) return damaged('length differs');
  const codec = CODECS[record.readUInt8(64)];
  if (codec === undefined) return damaged(`codec ${record.readUInt8(64)}`);
  const keyId = record.readUInt32LE(68);
  if (keyId !== 0) return damaged(`sealed with key ${keyId}, which is not known`);
  const stored = record.subarray(covered, covered + storedBytes);
  const storedCrc = record.readUInt32LE(84);
  if (lines === 'verify' && crc32(stored) !== storedCrc) {
    return damaged('CRC-32 of the stored bytes differs');
  }
  const identities = frame.identities === 0 ? NO_IDENTITIES : [];
  for (let at = BLOCK_HEADER_BYTES; at < covered; at += IDENTITY_BYTES) {
    const entry = readIdentity(record, at);
    if (entry === undefined) return damaged('unknown kind of identity');
    (identities as IdentityEntry[]).push(entry);
  }
  return {
    kind: 'block',
    stream: record.readUInt32LE(24),
    lines: record.readUInt32LE(28),
    epoch: record.toString('hex', 32, 40),
    first: readU64(record, 40),
    receivedMs: readU64(record, 48),
    serviceMs: frame.serviceMs,
    linesBefore: readU64(record, 56),
    codec,
    copied: record.readUInt8(65) === 1,
    plainBytes: record.readUInt32LE(72),
    plainCrc: record.readUInt32LE(76),
    storedCrc,
    identities,
    stored,
  };
}
