/**
 * What one shard may take of what the process has. Bounds of `limits.ts` that are meant for all of the process are shared out;
 * those of one stream, job, account or request are the same for every shard.
 */
import { availableParallelism } from 'node:os';
import { limits } from '../../model/limits.ts';
import type { Config } from '../../model/settings.ts';

/** Threads of libuv's pool when nothing is said (Node's own default). */
const POOL = 4;
/** Shares of a shard's part of the pool: intake, delivery and reads have one each at most, and some of it is always free. */
const POOL_SHARES = 3;
/** Cores for each shard up to which its thread is not what is full first: it has time to decompress. */
const SPARE_THREAD_CORES = 2;

/**
 * @param poolThreads threads of libuv's pool, which all shards share
 * @param cores of the machine
 */
export function boundsOfShard(
  shards: number,
  config: Pick<Config, 'buffer' | 'ingest'>,
  poolThreads = Number(process.env['UV_THREADPOOL_SIZE'] ?? POOL),
  cores = availableParallelism(),
) {
  const part = (all: number, least = 1) => Math.max(least, Math.ceil(all / shards));
  const ofPool = (most: number) =>
    shards === 1 ? most : Math.min(most, Math.ceil(poolThreads / shards / POOL_SHARES));
  const { buffer, deliver, ingest, log } = limits;
  return {
    log: { ...log, segmentBytes: config.buffer.segmentBytes, openSegments: part(log.openSegments) },
    buffer: {
      ...buffer,
      ...config.buffer,
      tailCacheBytes: part(buffer.tailCacheBytes),
      indexCacheBytes: part(buffer.indexCacheBytes),
      // Each looks at the whole disk, and leaves what the others keep free as well.
      reserveBytes: buffer.reserveBytes * shards,
      holdbackShare: buffer.holdbackShare / shards,
      compressions: ofPool(buffer.compressions),
      reads: ofPool(buffer.reads),
    },
    deliver: {
      ...deliver,
      attempts: part(deliver.attempts, deliver.attemptsPerAccount),
      heldBytes: part(deliver.heldBytes, deliver.heldBytesPerAccount),
      senders: part(deliver.senders),
      replays: part(deliver.replays),
      compressions: ofPool(deliver.compressions),
    },
    ingest: {
      ...ingest,
      bodyBytes: config.ingest.bodyBytes,
      lineBytes: config.ingest.lineBytes,
      idleBodyBytes: part(ingest.idleBodyBytes),
      connections: part(ingest.connections),
      decompressions: ofPool(ingest.decompressions),
      decompressedHereBytes:
        cores <= shards * SPARE_THREAD_CORES ? ingest.decompressedHereBytes : 0,
    },
  };
}
