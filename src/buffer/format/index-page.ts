/**
 * The index of a sealed span of the log: where each of its blocks stands, sorted by (stream, offset), cut into pages so
 * that one look-up reads some 64 KiB and not the whole. A page is one record:
 *
 * | at | bytes | what |
 * | --- | --- | --- |
 * | 24 | 4 | the span's number |
 * | 28 | 2 | the page's number |
 * | 30 | 2 | pages of the span |
 * | 32 | 8 | position at which the span begins |
 * | 40 | 4 | entries |
 * | 44 | 4 | zero |
 * | 48 | 40 each | entries |
 *
 * An entry: 4 stream's number, 4 lines, 8 first offset, 8 position, 4 plain bytes, 4 stored bytes, 8 reception in
 * milliseconds since 1970 UTC.
 */
import { damaged, FRAME_BYTES, sealFrame, writeFrame } from './frame.ts';
import type { Unreadable } from './frame.ts';
import { readU64, writeU64 } from './u64.ts';

const PAGE_HEADER_BYTES = 24;
export const ENTRY_BYTES = 40;
/** About 64 KiB of entries. */
export const PAGE_ENTRIES = 1_600;

/** Where a block stands and what can be said of it without reading it. */
export interface BlockRef {
  readonly stream: number;
  readonly first: number;
  readonly lines: number;
  readonly position: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly receivedMs: number;
}

export interface IndexPageRecord {
  readonly kind: 'index';
  readonly serviceMs: number;
  readonly span: number;
  readonly page: number;
  readonly pages: number;
  readonly spanStart: number;
  /** The entries' bytes as they stand; {@link refAt} reads one. */
  readonly entries: Buffer;
}

export function encodeIndexPage(
  page: Omit<IndexPageRecord, 'kind' | 'entries'>,
  refs: readonly BlockRef[],
): Buffer {
  const record = Buffer.alloc(FRAME_BYTES + PAGE_HEADER_BYTES + refs.length * ENTRY_BYTES);
  const payloadBytes = record.length - FRAME_BYTES;
  writeFrame(record, { kind: 'index', identities: 0, payloadBytes, serviceMs: page.serviceMs });
  record.writeUInt32LE(page.span, 24);
  record.writeUInt16LE(page.page, 28);
  record.writeUInt16LE(page.pages, 30);
  writeU64(record, page.spanStart, 32);
  record.writeUInt32LE(refs.length, 40);
  packRefs(refs).copy(record, FRAME_BYTES + PAGE_HEADER_BYTES);
  sealFrame(record);
  return record;
}

/** Entries as they stand in a page. */
export function packRefs(refs: readonly BlockRef[]): Buffer {
  const packed = Buffer.alloc(refs.length * ENTRY_BYTES);
  refs.forEach((ref, index) => {
    const at = index * ENTRY_BYTES;
    packed.writeUInt32LE(ref.stream, at);
    packed.writeUInt32LE(ref.lines, at + 4);
    writeU64(packed, ref.first, at + 8);
    writeU64(packed, ref.position, at + 16);
    packed.writeUInt32LE(ref.plainBytes, at + 24);
    packed.writeUInt32LE(ref.storedBytes, at + 28);
    writeU64(packed, ref.receivedMs, at + 32);
  });
  return packed;
}

/** @param payload the record behind its frame, its CRC verified */
export function decodeIndexPage(payload: Buffer, serviceMs: number): IndexPageRecord | Unreadable {
  if (payload.length < PAGE_HEADER_BYTES) return damaged('shorter than a page');
  const entries = payload.subarray(PAGE_HEADER_BYTES);
  if (entries.length !== payload.readUInt32LE(16) * ENTRY_BYTES) return damaged('length differs');
  return {
    kind: 'index',
    serviceMs,
    span: payload.readUInt32LE(0),
    page: payload.readUInt16LE(4),
    pages: payload.readUInt16LE(6),
    spanStart: readU64(payload, 8),
    entries,
  };
}

export function entryCount(entries: Buffer): number {
  return entries.length / ENTRY_BYTES;
}

export function refAt(entries: Buffer, index: number): BlockRef {
  const at = index * ENTRY_BYTES;
  return {
    stream: entries.readUInt32LE(at),
    lines: entries.readUInt32LE(at + 4),
    first: readU64(entries, at + 8),
    position: readU64(entries, at + 16),
    plainBytes: entries.readUInt32LE(at + 24),
    storedBytes: entries.readUInt32LE(at + 28),
    receivedMs: readU64(entries, at + 32),
  };
}

/** The index of the last entry that is not behind (stream, offset), or -1. */
export function lastNotBehind(entries: Buffer, stream: number, offset: number): number {
  let low = 0;
  let high = entryCount(entries);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = middle * ENTRY_BYTES;
    const ofStream = entries.readUInt32LE(at);
    const behind = ofStream > stream || (ofStream === stream && readU64(entries, at + 8) > offset);
    if (behind) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}

/** The order of an index: by stream, then by offset, then the place that wins (the highest) last. */
export function compareRefs(a: BlockRef, b: BlockRef): number {
  return a.stream - b.stream || a.first - b.first || a.position - b.position;
}
