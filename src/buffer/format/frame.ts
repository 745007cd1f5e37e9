/**
 * What every record of the buffer begins with (24 bytes, little-endian). The log below has checksums of its own; these
 * hold whatever the log is, and also against a record that was read from the wrong place.
 *
 * | at | bytes | what |
 * | --- | --- | --- |
 * | 0 | 4 | magic `WBR1` |
 * | 4 | 4 | CRC-32 of the bytes from 8 to the end of what the kind covers |
 * | 8 | 1 | format version |
 * | 9 | 1 | kind |
 * | 10 | 2 | identities in a block; 0 in other kinds |
 * | 12 | 4 | bytes behind the frame |
 * | 16 | 8 | service time in milliseconds when the record was made |
 *
 * The CRC covers the whole record, but for a block only its header and identities: its lines have a CRC of their own.
 */
import { crc32 } from 'node:zlib';

import { shortCrc32 } from '../../lib/crc32.ts';
import { readU64, writeU64 } from './u64.ts';

export const FRAME_BYTES = 24;
/**
 * The newest format. Older ones down to {@link OLDEST_FORMAT} are read, newer ones refused. A record is written in the oldest
 * format that can say it: erasures and jobs with an end need 2, because who does not know them would deliver their lines;
 * heads need 3, because who does not know them would take them for damage.
 */
export const FORMAT = 3;
export const OLDEST_FORMAT = 1;
/** A block's header without identities, and a little more. */
const SHORT_BYTES = 108;
const MAGIC = 0x31524257;

/** Kinds of records. Closed: a new kind is a new format version. */
export const KIND = {
  block: 1,
  genesis: 2,
  stream: 3,
  job: 4,
  plan: 5,
  waybill: 6,
  refusals: 7,
  index: 8,
  erasure: 9,
  heads: 10,
} as const;
export type KindName = keyof typeof KIND;

const NAMES = new Map<number, KindName>(
  Object.entries(KIND).map(([name, code]) => [code, name as KindName]),
);

export interface Frame {
  readonly kind: KindName;
  readonly identities: number;
  readonly payloadBytes: number;
  readonly serviceMs: number;
  /** 1 when nothing is said. */
  readonly version?: number;
}

/** Why bytes are not a record of ours. `newer`: written by a later version, so nothing about it may be guessed. */
export type Unreadable =
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'newer'; readonly version: number };

export function damaged(reason: string): Unreadable {
  return { kind: 'damaged', reason };
}

/** Writes the frame into the first bytes of `record`; {@link sealFrame} puts the CRC in once the rest stands. */
export function writeFrame(record: Buffer, frame: Frame): void {
  record.writeUInt32LE(MAGIC, 0);
  record.writeUInt8(frame.version ?? OLDEST_FORMAT, 8);
  record.writeUInt8(KIND[frame.kind], 9);
  record.writeUInt16LE(frame.identities, 10);
  record.writeUInt32LE(frame.payloadBytes, 12);
  writeU64(record, frame.serviceMs, 16);
}

/** Computes the CRC over everything in `covered` behind the field itself. */
export function sealFrame(covered: Buffer): void {
  covered.writeUInt32LE(coveredCrc(covered, covered.length), 4);
}

function coveredCrc(record: Buffer, coveredBytes: number): number {
  if (coveredBytes <= SHORT_BYTES) return shortCrc32(record, 8, coveredBytes);
  return crc32(record.subarray(8, coveredBytes));
}

/** The frame of a record, its lengths checked; the CRC is looked at by {@link crcHolds}. */
export function readFrame(record: Buffer): Frame | Unreadable {
  if (record.length < FRAME_BYTES) return damaged('shorter than a frame');
  if (record.readUInt32LE(0) !== MAGIC) return damaged('no record of ours');
  const version = record.readUInt8(8);
  const payloadBytes = record.readUInt32LE(12);
  if (version > FORMAT) {
    // A flipped bit in the version must cost one record and not the start: only a record that is whole is believed.
    const whole =
      payloadBytes === record.length - FRAME_BYTES && record.readUInt8(9) !== KIND.block;
    return whole && crcHolds(record) ? { kind: 'newer', version } : damaged(`version ${version}`);
  }
  if (version < OLDEST_FORMAT) return damaged(`version ${version}`);
  const kind = NAMES.get(record.readUInt8(9));
  if (kind === undefined) return damaged(`kind ${record.readUInt8(9)}`);
  if (payloadBytes !== record.length - FRAME_BYTES) return damaged('length differs');
  const identities = record.readUInt16LE(10);
  return { kind, identities, payloadBytes, serviceMs: readU64(record, 16) };
}

/** @param coveredBytes how much of the record its CRC is of */
export function crcHolds(record: Buffer, coveredBytes = record.length): boolean {
  return record.readUInt32LE(4) === coveredCrc(record, coveredBytes);
}
