/**
 * One shard's log, from its oldest segment to its end.
 *
 * Everything behind the frontier (the highest that a frame of the newest segment carries) must be whole. Past it stands what
 * the last commit wrote: whole groups of it count, because a server that starts on this folder keeps them; an unfinished
 * rest is what a kill or a commit under way leaves, and no damage.
 */
import { join } from 'node:path';

import { readFully } from '../lib/fs/file-system.ts';
import type { FileHandle, FileSystem } from '../lib/fs/file-system.ts';
import { NewerFormat, count } from './findings.ts';
import type { Findings } from './findings.ts';
import { SEGMENT_HEADER_BYTES, SegmentFrames, segmentHeader, segmentName } from './segment.ts';
import type { Frame, SegmentName } from './segment.ts';

export interface LogToRead {
  readonly files: FileSystem;
  readonly directory: string;
  readonly shard: number;
  readonly findings: Findings;
  /** What a checkpoint says is durable: the frontier lies there or behind. */
  readonly knownEnd: number;
  /** Called for each record in the order of the log. `payload` may be kept. */
  readonly record: (position: number, payload: Buffer) => void;
}

/** How far the log reaches. `start` equals `end` when there are no segments. */
export interface LogExtent {
  readonly segments: number;
  readonly start: number;
  readonly end: number;
}

interface Segment extends SegmentName {
  readonly headerWhole: boolean;
  /** Behind its last byte that counts. */
  readonly end: number;
}

/** @throws {NewerFormat} for a folder that a later version wrote; FsError when the disk does not answer */
export async function readLog(log: LogToRead): Promise<LogExtent> {
  const segments = await chain(log);
  let end = segments[0]?.base ?? 0;
  for (const [index, segment] of segments.entries()) {
    const newest = index === segments.length - 1;
    const file = await log.files.open(join(log.directory, segment.name), 'read');
    try {
      end = await readSegment(log, segment, file, newest);
    } finally {
      await file.close();
    }
  }
  return { segments: segments.length, start: segments[0]?.base ?? 0, end };
}

/** Names, headers and sizes: that segments follow each other without a hole. */
async function chain({ files, directory, shard, findings }: LogToRead): Promise<Segment[]> {
  const names: SegmentName[] = [];
  for (const name of await files.list(directory)) {
    const parsed = segmentName(name);
    if (parsed) names.push(parsed);
    else if (name.endsWith('.seg')) findings.add(`${name}: that is no segment's name`);
  }
  const segments: Segment[] = [];
  let epoch = 0;
  for (const parsed of names.toSorted((a, b) => a.sequence - b.sequence)) {
    const { name, sequence, base } = parsed;
    const header = await headerOf(files, join(directory, name));
    if (header.kind === 'newer') throw new NewerFormat(name, header.version);
    if (header.kind === 'damaged') findings.add(`${name}: ${header.reason}`);
    else {
      if (header.sequence !== sequence || header.base !== base) {
        findings.add(`${name}: its header says segment ${header.sequence} at ${header.base}`);
      }
      if (header.shard !== shard) findings.add(`${name}: it belongs to shard ${header.shard}`);
      if (header.epoch < epoch)
        findings.add(`${name}: an older owner wrote it than its predecessor`);
      epoch = Math.max(epoch, header.epoch);
    }
    const bytes = (await files.stat(join(directory, name)))?.bytes ?? 0;
    const before = segments.at(-1);
    if (before) segments[segments.length - 1] = shortened(before, parsed, findings);
    const headerWhole = header.kind === 'header';
    segments.push({
      ...parsed,
      headerWhole,
      end: base + Math.max(0, bytes - SEGMENT_HEADER_BYTES),
    });
  }
  return segments;
}

/** The older of two neighbours, which counts only up to where the newer begins. */
function shortened(before: Segment, next: SegmentName, findings: Findings): Segment {
  const missing = next.sequence - before.sequence - 1;
  if (missing > 0) {
    findings.add(`${count(missing, 'segment')} missing between ${before.name} and ${next.name}`);
  } else if (missing < 0 || next.base < before.base) {
    findings.add(`${next.name}: it does not follow ${before.name}`);
  } else if (before.end < next.base) {
    findings.add(`${before.name}: ${count(next.base - before.end, 'byte')} cut off its end`);
  }
  return { ...before, end: Math.max(before.base, Math.min(before.end, next.base)) };
}

async function headerOf(files: FileSystem, path: string) {
  const file = await files.open(path, 'read');
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    return segmentHeader(bytes.subarray(0, await readFully(file, bytes, 0)));
  } finally {
    await file.close();
  }
}

/** Hands over the records of one segment. Returns the position behind the last one that counts. */
async function readSegment(
  log: LogToRead,
  segment: Segment,
  file: FileHandle,
  newest: boolean,
): Promise<number> {
  const frames = new SegmentFrames(file, segment.base, segment.end);
  const frontier = newest ? await frontierOf(log, frames, segment) : segment.end;
  const durableEnd = await readDurable(log, segment, frames, frontier);
  return newest ? readGroupsPast(log, frames, durableEnd) : durableEnd;
}

async function frontierOf(
  { knownEnd }: LogToRead,
  frames: SegmentFrames,
  segment: Segment,
): Promise<number> {
  // A crash leaves headers whole: what else is broken in this file is no tear either.
  if (!segment.headerWhole) return segment.end;
  let frontier = Math.max(segment.base, Math.min(knownEnd, segment.end));
  for (let position = segment.base; position < segment.end;) {
    const frame = await frames.at(position);
    if (frame) frontier = Math.max(frontier, frame.frontier);
    position = frame?.end ?? (await frames.next(position + 1));
  }
  return frontier;
}

/** Behind the frontier every byte belongs to a whole frame of a whole group. */
async function readDurable(
  log: LogToRead,
  segment: Segment,
  frames: SegmentFrames,
  frontier: number,
): Promise<number> {
  const { findings, record } = log;
  const tell = (position: number, what: string) =>
    findings.add(
      `${segment.name}: ${what} at byte ${SEGMENT_HEADER_BYTES + position - segment.base}`,
    );
  /** Place in its group of the frame to come; undefined behind damage, where it is not known. */
  let index: number | undefined = 0;
  let position = segment.base;
  while (position < frontier) {
    const frame = await frames.at(position);
    if (frame === undefined) {
      const next = Math.min(await frames.next(position + 1), frontier);
      tell(position, `no frame in ${count(next - position, 'byte')}`);
      position = next;
      index = undefined;
      continue;
    }
    const expected: number = frame.mark ? 0 : (index ?? frame.index);
    if (frame.index !== expected) tell(position, 'a group lacks records');
    if (frame.payload === undefined) tell(position, "a record's CRC-32 differs");
    else if (!frame.mark) record(position, frame.payload);
    index = frame.last ? 0 : frame.index + 1;
    position = frame.end;
  }
  if (index !== undefined && index > 0) tell(position, 'a group lacks its last records');
  return position;
}

/** Past the frontier: whole groups, up to the first that is not. */
async function readGroupsPast(
  log: LogToRead,
  frames: SegmentFrames,
  from: number,
): Promise<number> {
  let end = from;
  let group: Frame[] = [];
  for (let position = from; ;) {
    const frame = await frames.at(position);
    if (frame?.payload === undefined || frame.mark || frame.index !== group.length) return end;
    group.push(frame);
    position = frame.end;
    if (!frame.last) continue;
    for (const one of group) log.record(one.position, one.payload!);
    group = [];
    end = position;
  }
}
