/**
 * What is in a log's folder, without changing it.
 *
 * All segments but the last are taken by name, header and size. The last one is scanned:
 *
 * ```
 *   base ............ frontier ........ valid end ........ end of file
 *   |  durable: kept, holes told  |  whole groups: copied  |  torn: cut  |
 * ```
 *
 * The frontier is the highest that one of its frames carries. Whole groups past it may have been answered, or may lie only
 * in the page cache of a process that was killed: whoever opens the log writes them into the next segment and syncs that.
 * (To sync the old file instead would trust a file of which an earlier sync may have failed.)
 */
import { join } from 'node:path';

import type { Damage, Position } from '../contract.ts';
import { FrameReader } from './frame-reader.ts';
import { ALIGNMENT, HEADER_BYTES, alignUp } from './format.ts';
import { parseSegmentName } from './names.ts';
import type { SegmentName } from './names.ts';
import type { FilesLogOptions } from './options.ts';
import { bestEffort, readHeader } from './segment.ts';
import type { Segment, Tail } from './segment.ts';

/** How much of the last segment is read at once. */
const SCAN_CHUNK_BYTES = 1024 * 1024;

/** A damaged header hides its epoch: more openings than this without a line between them are not to be expected. */
const EPOCHS_PER_LOST_HEADER = 1_000_000;

export type Found =
  | {
      readonly kind: 'found';
      /** Oldest first; the last one ends at the frontier. */
      readonly segments: Segment[];
      /** The highest epoch seen; the next opening's is greater. */
      readonly epoch: number;
      /** Whole groups past the frontier. */
      readonly tail: Tail | undefined;
      readonly tornTailBytes: number;
      readonly damage: readonly Damage[];
      /** Names of segments whose making was cut short. */
      readonly drafts: readonly string[];
    }
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Looks at a log's folder. Rejects with FsError when the disk does not answer. */
export async function findSegments(options: FilesLogOptions): Promise<Found> {
  const names: SegmentName[] = [];
  for (const name of await options.files.list(options.directory)) {
    const parsed = parseSegmentName(name);
    if (parsed) names.push(parsed);
    else if (name.endsWith('.seg')) return unreadable(`${name} is no name of a segment`);
  }
  const drafts = names.filter(({ final }) => !final).map(({ name }) => name);
  const chain = await readChain(
    options,
    names.filter(({ final }) => final),
  );
  if (chain.kind === 'unreadable') return chain;
  const { segments, damage, epoch, lastHeaderWhole } = chain;
  const last = segments.at(-1);
  if (!last) {
    return { kind: 'found', segments, epoch, tail: undefined, tornTailBytes: 0, damage, drafts };
  }
  const scan = await scanLast(options, last, lastHeaderWhole);
  last.end = scan.frontier;
  damage.push(...scan.damage);
  const tail =
    scan.validEnd > scan.frontier
      ? { path: last.path, base: last.base, from: scan.frontier, to: scan.validEnd }
      : undefined;
  const { tornTailBytes } = scan;
  return { kind: 'found', segments, epoch, tail, tornTailBytes, damage, drafts };
}

type Chain =
  | {
      readonly kind: 'chain';
      readonly segments: Segment[];
      readonly damage: Damage[];
      readonly epoch: number;
      readonly lastHeaderWhole: boolean;
    }
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Takes all segments by name, header and size, and tells what is missing between them. */
async function readChain(options: FilesLogOptions, names: readonly SegmentName[]): Promise<Chain> {
  const segments: Segment[] = [];
  const damage: Damage[] = [];
  let epoch = 0;
  let lostHeaders = 0;
  let lastHeaderWhole = true;
  for (const { name, sequence, base } of names) {
    const path = join(options.directory, name);
    const read = await readHeader(options, path);
    if (read.kind === 'newer') {
      return unreadable(
        `${name} has format version ${read.version}, which is newer than this Waybill`,
      );
    }
    if (read.kind === 'header') {
      const { header } = read;
      if (header.sequence !== sequence || header.base !== base) {
        return unreadable(`${name} says that it is segment ${header.sequence} at ${header.base}`);
      }
      if (header.shard !== (options.shard ?? 0)) {
        return unreadable(`${name} belongs to shard ${header.shard}`);
      }
      epoch = Math.max(epoch, header.epoch);
    } else {
      damage.push({ from: base, to: base, reason: `segment ${sequence}: ${read.reason}` });
      lostHeaders++;
    }
    lastHeaderWhole = read.kind === 'header';

    const fileBytes = (await options.files.stat(path))?.bytes ?? 0;
    const end = (base + Math.max(0, fileBytes - HEADER_BYTES)) as Position;
    const before = segments.at(-1);
    if (before) {
      if (before.sequence === sequence || before.base > base) {
        return unreadable(`${name} does not follow segment ${before.sequence}`);
      }
      before.end = Math.min(before.end, base) as Position;
      if (before.end < base) {
        const missing = sequence - before.sequence - 1;
        const reason = missing > 0 ? `${missing} segments are missing` : 'a segment was cut short';
        damage.push({ from: before.end, to: base, reason });
      }
    }
    segments.push({ sequence, base, path, end, fileBytes });
  }
  epoch += lostHeaders * EPOCHS_PER_LOST_HEADER;
  return { kind: 'chain', segments, damage, epoch, lastHeaderWhole };
}

function unreadable(detail: string): { readonly kind: 'unreadable'; readonly detail: string } {
  return { kind: 'unreadable', detail };
}

interface Scan {
  readonly frontier: Position;
  readonly validEnd: Position;
  readonly tornTailBytes: number;
  readonly damage: readonly Damage[];
}

async function scanLast(
  options: FilesLogOptions,
  segment: Segment,
  headerWhole: boolean,
): Promise<Scan> {
  const { base, end: fileEnd } = segment;
  const file = await options.files.open(segment.path, 'read');
  try {
    const reader = new FrameReader(file, base, fileEnd, SCAN_CHUNK_BYTES);
    const { frontier: carried, holes } = await scanFrames(reader, base, fileEnd);
    // What the caller knows to be durable is behind the frontier, and so is all of a file that has been damaged: a tear
    // leaves the header whole. Rounded up, so that the next segment's frames are aligned.
    const known = Math.max(carried, options.knownEnd ?? 0, headerWhole ? 0 : fileEnd);
    const frontier = alignUp(known);
    if (frontier > fileEnd)
      holes.push({ from: fileEnd, to: frontier, reason: 'the file is too short' });
    const damage = holes
      .filter(({ from }) => from < frontier)
      .map((hole) => ({ ...hole, to: Math.min(hole.to, frontier) as Position }));
    const { validEnd, markEnd } = await readGroups(reader, frontier);
    const tornTailBytes = Math.max(0, fileEnd - markEnd);
    return { frontier, validEnd, tornTailBytes, damage };
  } finally {
    await bestEffort(file.close());
  }
}

/** Goes over a whole segment: the highest frontier that a frame carries, and where no frame can be read. */
async function scanFrames(
  reader: FrameReader,
  base: Position,
  fileEnd: Position,
): Promise<{ frontier: Position; holes: Damage[] }> {
  const holes: Damage[] = [];
  let frontier = base;
  let position = base;
  while (position < fileEnd) {
    const read = await reader.frameAt(position);
    let end: Position;
    switch (read.kind) {
      case 'frame':
        end = read.record.end;
        break;
      case 'broken':
        end = read.end;
        holes.push({ from: position, to: end, reason: 'a payload has another checksum' });
        break;
      case 'none':
        end = await reader.find((position + ALIGNMENT) as Position);
        holes.push({ from: position, to: end, reason: 'no frame can be read here' });
        break;
    }
    if (read.kind !== 'none') frontier = Math.max(frontier, read.frame.frontier) as Position;
    position = end;
  }
  return { frontier, holes };
}

/** The end of the unbroken run of whole groups that begins at `from`, and of the mark behind it if there is one. */
async function readGroups(
  reader: FrameReader,
  from: Position,
): Promise<{ validEnd: Position; markEnd: Position }> {
  let validEnd = from;
  let position = from;
  for (let index = 0; ; index++) {
    const read = await reader.frameAt(position);
    if (read.kind !== 'frame') return { validEnd, markEnd: validEnd };
    const { frame, record } = read;
    if (frame.mark) return { validEnd, markEnd: index === 0 ? record.end : validEnd };
    if (frame.index !== index) return { validEnd, markEnd: validEnd };
    position = record.end;
    if (frame.last) {
      validEnd = position;
      index = -1;
    }
  }
}
