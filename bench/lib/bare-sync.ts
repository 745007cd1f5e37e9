/** The yardstick of an answer's delay: what this disk takes for a line, without any server. */
import { closeSync, fdatasyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { quantile } from './posts.ts';

/** About a line's size. */
const LINE_BYTES = 900;

/** A line written behind the last one and synced, one after the other, for a second. */
export function bareSync(dir: string): { readonly p50Ms: number; readonly p99Ms: number } {
  const line = Buffer.alloc(LINE_BYTES, 120);
  const path = join(dir, 'bare');
  const file = openSync(path, 'w');
  const took: number[] = [];
  for (const until = performance.now() + 1_000; performance.now() < until;) {
    const from = performance.now();
    writeSync(file, line);
    fdatasyncSync(file);
    took.push(performance.now() - from);
  }
  closeSync(file);
  unlinkSync(path);
  const sorted = Float64Array.from(took).sort();
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}
