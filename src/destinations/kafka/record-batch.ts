/**
 * Records as they stand in Kafka's log: record batch, magic 2 (https://kafka.apache.org/documentation/#recordbatch). What is
 * compressed is the run of records; the batch's own header stands in clear before it.
 */
import { crc32c } from '../../lib/crc32c.ts';

/** One record before it has a place in a batch. */
export interface KafkaRecord {
  readonly key: Buffer | undefined;
  readonly value: Buffer;
  readonly timeMs: number;
  /** The record's own header, besides those that all share. */
  readonly line: string | undefined;
}

/** Who produces, by the broker's own count; `id` -1: nobody in particular, and repeats are not noticed. */
export interface ProducerMark {
  readonly id: bigint;
  readonly epoch: number;
  readonly sequence: number;
}

/** The attribute's bits for what the records are compressed with. */
export const COMPRESSION_BITS = { none: 0, gzip: 1, zstd: 4 } as const;
export type Compression = keyof typeof COMPRESSION_BITS;

/** Bytes from the batch's length to its first record, and before: offset, length. */
const HEAD_BYTES = 61;
const BEFORE_LENGTH_BYTES = 12;
const CRC_AT = 17;
const CRC_FROM = 21;
/** Name of the header that holds a line's own place. */
const LINE_HEADER = 'waybill-line';
/** The longest number that stands here takes this many bytes. */
const VARINT = 8;

/** Headers that all records of a batch share, made once. */
export class SharedHeaders {
  readonly count: number;
  readonly bytes: Buffer;

  constructor(headers: Readonly<Record<string, string>>) {
    const entries = Object.entries(headers);
    this.count = entries.length;
    this.bytes = Buffer.concat(entries.map(([name, value]) => header(name, value)));
  }
}

/** What a record takes in a batch at most, besides its key and value. */
export function recordOverhead(record: KafkaRecord, shared: SharedHeaders): number {
  const line = record.line === undefined ? 0 : record.line.length + LINE_HEADER.length + 2 * VARINT;
  return 6 * VARINT + 1 + line + shared.bytes.length;
}

/** The run of records, not compressed. Times are kept as differences to the first record's. */
export function encodeRecords(records: readonly KafkaRecord[], shared: SharedHeaders): Buffer {
  const most = records.reduce(
    (sum, record) =>
      sum + recordOverhead(record, shared) + (record.key?.length ?? 0) + record.value.length,
    0,
  );
  const out = Buffer.allocUnsafe(most);
  const baseMs = records[0]?.timeMs ?? 0;
  let at = 0;
  for (const [index, record] of records.entries())
    at = putRecord(out, at, record, index, record.timeMs - baseMs, shared);
  return out.subarray(0, at);
}

function putRecord(
  out: Buffer,
  start: number,
  { key, value, line }: KafkaRecord,
  index: number,
  sinceMs: number,
  shared: SharedHeaders,
): number {
  const own = line === undefined ? undefined : header(LINE_HEADER, line);
  const keyLength = key === undefined ? -1 : key.length;
  const count = shared.count + (own === undefined ? 0 : 1);
  const length =
    1 +
    varintBytes(sinceMs) +
    varintBytes(index) +
    varintBytes(keyLength) +
    (key?.length ?? 0) +
    varintBytes(value.length) +
    value.length +
    varintBytes(count) +
    shared.bytes.length +
    (own?.length ?? 0);
  let at = putVarint(out, start, length);
  out[at++] = 0; // attributes: none are defined
  at = putVarint(out, at, sinceMs);
  at = putVarint(out, at, index);
  at = putVarint(out, at, keyLength);
  if (key) at += key.copy(out, at);
  at = putVarint(out, at, value.length);
  at += value.copy(out, at);
  at = putVarint(out, at, count);
  at += shared.bytes.copy(out, at);
  if (own) at += own.copy(out, at);
  return at;
}

function header(name: string, value: string): Buffer {
  const [nameBytes, valueBytes] = [Buffer.from(name), Buffer.from(value)];
  const out = Buffer.allocUnsafe(nameBytes.length + valueBytes.length + 2 * VARINT);
  let at = putVarint(out, 0, nameBytes.length);
  at += nameBytes.copy(out, at);
  at = putVarint(out, at, valueBytes.length);
  at += valueBytes.copy(out, at);
  return out.subarray(0, at);
}

/** The batch: its header and the run of records as compressed. */
export function encodeBatch(
  records: readonly KafkaRecord[],
  compressed: Buffer,
  compression: Compression,
  mark: ProducerMark,
): readonly [Buffer, Buffer] {
  const head = Buffer.alloc(HEAD_BYTES);
  const times = records.map(({ timeMs }) => timeMs);
  head.writeInt32BE(HEAD_BYTES - BEFORE_LENGTH_BYTES + compressed.length, 8);
  head.writeInt32BE(-1, 12); // the leader's epoch: the broker's to fill in
  head.writeInt8(2, 16);
  head.writeInt16BE(COMPRESSION_BITS[compression], CRC_FROM);
  head.writeInt32BE(records.length - 1, 23);
  head.writeBigInt64BE(BigInt(times[0] ?? 0), 27);
  head.writeBigInt64BE(BigInt(times.reduce((most, time) => Math.max(most, time), 0)), 35);
  head.writeBigInt64BE(mark.id, 43);
  head.writeInt16BE(mark.epoch, 51);
  head.writeInt32BE(mark.sequence, 53);
  head.writeInt32BE(records.length, 57);
  head.writeUInt32BE(crc32c(compressed, crc32c(head.subarray(CRC_FROM))), CRC_AT);
  return [head, compressed];
}

/** Writes a number in zigzag form, seven bits a byte, the lowest first (as in Protocol Buffers). Up to 52 bits. */
export function putVarint(out: Buffer, start: number, value: number): number {
  let at = start;
  let rest = zigzag(value);
  while (rest >= 0x80) {
    out[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  out[at++] = rest;
  return at;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}
