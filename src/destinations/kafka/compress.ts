/** Compression of record batches, off the thread and a few at once, so that the log's syncs never wait for it. */
import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import { limits } from '../../model/limits.ts';
import type { Compression } from './record-batch.ts';

const gzipOf = promisify(gzip);
const zstdOf = promisify(zstdCompress);

const waiting: (() => void)[] = [];
let running = 0;

export async function compress(plain: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === 'none') return plain;
  if (running >= limits.kafka.compressions)
    await new Promise<void>((turn) => void waiting.push(turn));
  else running += 1;
  try {
    return compression === 'gzip'
      ? await gzipOf(plain, { level: constants.Z_BEST_SPEED })
      : await zstdOf(plain);
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}
