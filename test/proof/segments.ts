/** Where things stand in a log's segment files, read by the offline checker's code and by none of the log's own. */
import { join } from 'node:path';

import { readRecord } from '../../src/check/record.ts';
import { SegmentFrames, segmentName } from '../../src/check/segment.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';

const HEADER_BYTES = 64;

/** A stretch of a file. */
export interface Place {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** A block of lines, with the stretch of the whole group that it was committed in. */
export interface BlockPlace extends Place {
  /** Its own record. */
  readonly record: { readonly from: number; readonly to: number };
  /** The stream's epoch: a random number that no other stream has. */
  readonly epoch: string;
  readonly first: number;
  readonly lines: number;
}

export interface LogPlaces {
  readonly segments: number;
  readonly blocks: readonly BlockPlace[];
  /** Plans by their id. */
  readonly plans: ReadonlyMap<string, Place>;
}

/** Looks through all segment files of a folder. Segments that another has taken over in part are read as far as they go. */
export async function placesIn(directory: string): Promise<LogPlaces> {
  const files = nodeFileSystem();
  const names = (await files.list(directory)).flatMap((name) => segmentName(name) ?? []);
  const ordered = names.toSorted((a, b) => a.sequence - b.sequence);
  const blocks: BlockPlace[] = [];
  const plans = new Map<string, Place>();
  for (const [index, { name, base }] of ordered.entries()) {
    const path = join(directory, name);
    const bytes = (await files.stat(path))?.bytes ?? 0;
    const end = Math.min(base + bytes - HEADER_BYTES, ordered[index + 1]?.base ?? Infinity);
    const handle = await files.open(path, 'read');
    try {
      for await (const group of groupsOf(new SegmentFrames(handle, base, end), base)) {
        const offset = (position: number) => HEADER_BYTES + position - base;
        const place = { path, from: offset(group.from), to: offset(group.to) };
        for (const { payload, position, end: recordEnd } of group.records) {
          const record = readRecord(payload);
          if (record.kind === 'block') {
            const { epoch, first, lines } = record;
            const own = { from: offset(position), to: offset(recordEnd) };
            blocks.push({ ...place, record: own, epoch, first, lines });
          } else if (record.kind === 'plan') {
            for (const id of planIds(payload)) plans.set(id, place);
          }
        }
      }
    } finally {
      await handle.close();
    }
  }
  return { segments: ordered.length, blocks, plans };
}

async function* groupsOf(frames: SegmentFrames, base: number) {
  let records: { payload: Buffer; position: number; end: number }[] = [];
  let from = base;
  for (let position = base; ;) {
    const frame = await frames.at(position);
    if (!frame) return;
    const { payload, end } = frame;
    if (payload && !frame.mark) records.push({ payload, position, end });
    position = end;
    if (!frame.last) continue;
    yield { from, to: position, records };
    records = [];
    from = position;
  }
}

function planIds(payload: Buffer): string[] {
  return [...payload.toString('latin1').matchAll(/"id":"([^"]+)"/g)].map((match) => match[1]!);
}
