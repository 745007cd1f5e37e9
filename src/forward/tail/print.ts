/**
 * What a file is known by besides its inode: its first bytes, and those just before the place that it was read up to. An
 * inode is given away again, a truncated file grows past its old length, and a copy has another inode: the bytes tell.
 */
import { crc32 } from 'node:zlib';
import type { FollowedFile } from '../../lib/fs/followed.ts';

/** Bytes that are looked at, at either place. */
const PRINT_BYTES = 1024;

/** Of the part of a file before `position`. */
export interface Print {
  readonly position: number;
  readonly head: number;
  readonly tail: number;
}

export const NO_PRINT: Print = { position: 0, head: 0, tail: 0 };

/** @returns undefined when the file is shorter than `position` */
export async function printOf(file: FollowedFile, position: number): Promise<Print | undefined> {
  const bytes = Math.min(PRINT_BYTES, position);
  const head = await crcAt(file, 0, bytes);
  const tail = await crcAt(file, position - bytes, bytes);
  return head === undefined || tail === undefined ? undefined : { position, head, tail };
}

/** Whether the file still begins with what was read of it. */
export async function holds(file: FollowedFile, print: Print): Promise<boolean> {
  const now = await printOf(file, print.position);
  return now !== undefined && now.head === print.head && now.tail === print.tail;
}

async function crcAt(file: FollowedFile, at: number, bytes: number): Promise<number | undefined> {
  const target = Buffer.allocUnsafe(bytes);
  for (let done = 0; done < bytes;) {
    const count = await file.read(target.subarray(done), at + done);
    if (count === 0) return undefined;
    done += count;
  }
  return crc32(target);
}
