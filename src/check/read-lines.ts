/** The lines of wanted offsets, block by block, out of a folder's segments. */
import { join } from 'node:path';

import type { FileHandle, FileSystem } from '../lib/fs/file-system.ts';
import type { OffsetRun } from '../model/folder-lines.ts';
import { plainOf } from './block.ts';
import type { BlockPlace, StreamInside } from './inventory.ts';
import { Ranges } from './ranges.ts';
import { readRecord } from './record.ts';
import { SEGMENT_HEADER_BYTES, SegmentFrames, segmentName } from './segment.ts';
import type { SegmentName } from './segment.ts';

const NEWLINE = 10;

export interface Taken {
  readonly lines: number;
  readonly bytes: number;
  readonly missing: readonly OffsetRun[];
}

/** Hands over the lines of the wanted runs, in their order, and says what is missing of them. */
export async function readLines(
  files: FileSystem,
  stream: StreamInside,
  wanted: readonly OffsetRun[],
  write: (lines: Buffer) => Promise<void>,
): Promise<Taken> {
  const segments = new Segments(files, stream.log);
  const got = new Ranges();
  let bytes = 0;
  let lines = 0;
  try {
    for (const run of wanted) {
      for (const block of overlapping(stream.blocks, run)) {
        const from = Math.max(run.from, block.first, stream.book.erasedTo);
        const to = Math.min(run.to, block.first + block.lines);
        const plain = from < to ? await segments.plain(block) : undefined;
        if (plain === undefined) continue;
        const part = cut(plain, from - block.first, to - block.first);
        await write(part);
        bytes += part.length;
        lines += to - from;
        got.add(from, to);
      }
    }
  } finally {
    await segments.close();
  }
  return { lines, bytes, missing: wanted.flatMap((run) => holesIn(got, run)) };
}

/** The first block that reaches into the run, and those behind it. */
function* overlapping(blocks: readonly BlockPlace[], run: OffsetRun): Generator<BlockPlace> {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { first, lines } = blocks[middle]!;
    if (first + lines > run.from) high = middle;
    else low = middle + 1;
  }
  for (; low < blocks.length && blocks[low]!.first < run.to; low += 1) yield blocks[low]!;
}

function cut(plain: Buffer, from: number, to: number): Buffer {
  let at = 0;
  let start = 0;
  for (let line = 0; line < to; line += 1) {
    if (line === from) start = at;
    at = plain.indexOf(NEWLINE, at) + 1;
  }
  return plain.subarray(start, at);
}

function holesIn(got: Ranges, { from, to }: OffsetRun): OffsetRun[] {
  const holes: OffsetRun[] = [];
  let at = from;
  for (const run of got.runs) {
    if (run.to <= at || run.from >= to) continue;
    if (run.from > at) holes.push({ from: at, to: run.from });
    at = Math.max(at, run.to);
  }
  if (at < to) holes.push({ from: at, to });
  return holes;
}

/** A shard's segment files, one open at a time. */
class Segments {
  readonly #files: FileSystem;
  readonly #directory: string;
  #names: readonly SegmentName[] | undefined;
  #open: { readonly name: string; readonly file: FileHandle; frames: SegmentFrames } | undefined;

  constructor(files: FileSystem, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /** A block's plain bytes; undefined when they cannot be had any more. */
  async plain({ position }: BlockPlace): Promise<Buffer | undefined> {
    const frame = await (await this.#frames(position))?.at(position);
    if (frame?.payload === undefined) return undefined;
    const record = readRecord(frame.payload);
    return record.kind === 'block' ? plainOf(record) : undefined;
  }

  async #frames(position: number): Promise<SegmentFrames | undefined> {
    this.#names ??= (await this.#files.list(this.#directory))
      .flatMap((name) => segmentName(name) ?? [])
      .toSorted((a, b) => a.base - b.base);
    const segment = this.#names.findLast(({ base }) => base <= position);
    if (segment === undefined) return undefined;
    if (this.#open?.name !== segment.name) {
      await this.close();
      const path = join(this.#directory, segment.name);
      const bytes = (await this.#files.stat(path))?.bytes ?? 0;
      const file = await this.#files.open(path, 'read');
      const end = segment.base + Math.max(0, bytes - SEGMENT_HEADER_BYTES);
      const frames = new SegmentFrames(file, segment.base, end);
      this.#open = { name: segment.name, file, frames };
    }
    return this.#open?.frames;
  }

  async close(): Promise<void> {
    await this.#open?.file.close();
    this.#open = undefined;
  }
}
