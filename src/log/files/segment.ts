/** Makes segment files and knows what one is while the log is open. */
import { join } from 'node:path';

import { FsError, readFully, writeAll } from '../../lib/fs/file-system.ts';
import type { FileHandle } from '../../lib/fs/file-system.ts';
import type { Position } from '../contract.ts';
import type { HeaderRead } from './format.ts';
import { HEADER_BYTES, decodeHeader, encodeHeader } from './format.ts';
import { segmentName } from './names.ts';
import type { FilesLogOptions } from './options.ts';

export interface Segment {
  readonly sequence: number;
  readonly base: Position;
  readonly path: string;
  /** Just behind the last byte that counts: the next segment's base, or the frontier. */
  end: Position;
  /** Size of the file. */
  fileBytes: number;
}

/** The segment that is written to, each write of which is durable when it resolves. Everything up to `segment.end` is durable. */
export interface ActiveSegment {
  readonly segment: Segment;
  readonly file: FileHandle;
}

/** A stretch of an older segment that a new one begins with. */
export interface Tail {
  readonly path: string;
  readonly base: Position;
  readonly from: Position;
  readonly to: Position;
}

const COPY_CHUNK_BYTES = 1024 * 1024;

/**
 * Makes a segment, durable in content and name.
 *
 * It is written under a name that does not count and renamed when it is whole: a segment with its final name always had a
 * whole header, so that an unreadable one is damage and never a creation that a crash cut short.
 *
 * @param tail frames that lie at the same positions in the segment before, and of which nobody knows that they are durable
 * @throws {FsError} when it could not be made; what is left of it does no harm and is replaced by the next attempt
 */
export async function makeSegment(
  options: FilesLogOptions,
  epoch: number,
  sequence: number,
  base: Position,
  tail?: Tail,
): Promise<ActiveSegment> {
  const { files, directory, clock } = options;
  const draft = join(directory, segmentName(sequence, base, false));
  const path = join(directory, segmentName(sequence, base, true));
  const file = await openFresh(options, draft);
  try {
    options.onStep?.('segment-created');
    const createdMs = Math.max(0, Math.floor(clock.wallMs()));
    const header = { shard: options.shard ?? 0, epoch, sequence, base, createdMs };
    await writeAll(file, [encodeHeader(header)], 0);
    if (tail) await copyTail(options, tail, file);
    options.onStep?.('header-synced');
    await files.rename(draft, path);
    options.onStep?.('segment-named');
    await files.syncDirectory(directory);
    options.onStep?.('directory-synced');
  } catch (error) {
    await bestEffort(file.close());
    await bestEffort(files.unlink(draft));
    throw error;
  }
  const end = tail?.to ?? base;
  return { file, segment: { sequence, base, path, end, fileBytes: HEADER_BYTES + end - base } };
}

async function openFresh({ files }: FilesLogOptions, path: string): Promise<FileHandle> {
  try {
    return await files.open(path, 'create-synced');
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'EEXIST') throw error;
    await files.unlink(path);
    return files.open(path, 'create-synced');
  }
}

async function copyTail(options: FilesLogOptions, tail: Tail, to: FileHandle): Promise<void> {
  const from = await options.files.open(tail.path, 'read');
  try {
    for (let position: number = tail.from; position < tail.to;) {
      const chunk = Buffer.allocUnsafe(Math.min(COPY_CHUNK_BYTES, tail.to - position));
      const count = await readFully(from, chunk, HEADER_BYTES + position - tail.base);
      if (count < chunk.length) throw new FsError('EIO', 'read', tail.path, 'it became shorter');
      await writeAll(to, [chunk], HEADER_BYTES + position - tail.from);
      position += chunk.length;
    }
  } finally {
    await bestEffort(from.close());
  }
}

/** Reads a segment file's header. */
export async function readHeader(options: FilesLogOptions, path: string): Promise<HeaderRead> {
  const file = await options.files.open(path, 'read');
  try {
    const bytes = Buffer.alloc(HEADER_BYTES);
    return decodeHeader(bytes.subarray(0, await readFully(file, bytes, 0)));
  } finally {
    await bestEffort(file.close());
  }
}

/**
 * Cuts what lies past a segment's end: never needed, and gone so that nothing can take it for more than it is. When it
 * fails nothing is lost, because a segment counts only up to the base of the next one.
 */
export async function cutPast(options: FilesLogOptions, segment: Segment): Promise<void> {
  try {
    const file = await options.files.open(segment.path, 'write');
    try {
      const bytes = HEADER_BYTES + segment.end - segment.base;
      if ((await file.sizeBytes()) > bytes) {
        await file.truncate(bytes);
        segment.fileBytes = bytes;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    options.diagnostics.debug('log.tail_not_cut', { code: error.code });
  }
}

/** Waits for something whose failure changes nothing: the outcome has been decided before. */
export async function bestEffort(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
  }
}
