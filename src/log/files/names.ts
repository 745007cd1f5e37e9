/** Names in a log's folder. A segment's name repeats its sequence and base, so that a lost header loses nothing else. */
import type { Position } from '../contract.ts';

export const LOCK_NAME = 'lock.db';

const DIGITS = 16;
const PATTERN = /^(\d{16})-(\d{16})\.(seg|new)$/;

export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  readonly base: Position;
  /** False while the segment is being made: without its final name it counts for nothing. */
  readonly final: boolean;
}

export function segmentName(sequence: number, base: Position, final: boolean): string {
  const digits = (value: number): string => String(value).padStart(DIGITS, '0');
  return `${digits(sequence)}-${digits(base)}.${final ? 'seg' : 'new'}`;
}

export function parseSegmentName(name: string): SegmentName | undefined {
  const match = PATTERN.exec(name);
  if (!match) return undefined;
  const [sequence, base] = [Number(match[1]), Number(match[2])];
  // Sixteen digits hold more than a number does exactly: nobody's log is that long.
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(base)) return undefined;
  return { name, sequence, base: base as Position, final: match[3] === 'seg' };
}
