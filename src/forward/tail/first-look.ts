/** What a file that was just found tells of itself: a rotated form of another, compressed, where its last line ends. */
import { basename, dirname } from 'node:path';
import type { FollowedFile } from '../../lib/fs/followed.ts';
import { NO_PRINT, printOf } from './print.ts';
import type { Print } from './print.ts';

/** Whether one path may be a rotated form of the other: the same folder, and the same name but for what is appended. */
export function related(a: string, b: string): boolean {
  const stem = (path: string) => basename(path).split('.')[0]!;
  const [one, other] = [stem(a), stem(b)];
  return dirname(a) === dirname(b) && (one.startsWith(other) || other.startsWith(one));
}

const PACKED = ['1f8b', '28b52ffd', '425a68', 'fd377a585a00'];

/** Rotated files are often compressed; their lines were read before. */
export async function isCompressed(file: FollowedFile): Promise<boolean> {
  const head = Buffer.alloc(6);
  const count = await file.read(head, 0);
  const hex = head.toString('hex', 0, count);
  return PACKED.some((magic) => hex.startsWith(magic));
}

const BACK_BYTES = 1024 * 1024;

/** The print of what stands before the end of the last whole line: where a file is followed from that is not read from its start. */
export async function printAtLastLine(file: FollowedFile): Promise<Print> {
  const { bytes } = await file.look();
  const from = Math.max(0, bytes - BACK_BYTES);
  const piece = Buffer.alloc(bytes - from);
  const count = await file.read(piece, from);
  const end = piece.subarray(0, count).lastIndexOf(0x0a) + 1;
  return (await printOf(file, from + end)) ?? NO_PRINT;
}
