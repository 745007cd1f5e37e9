/** Opens what a shard keeps on disk: its log, its part of the ledger's archive, and the buffer over both. */
import { knownEnd, openBuffer } from '../../buffer/index.ts';
import type { BufferDeps, ShardBuffer } from '../../buffer/index.ts';
import { openArchiveWriter } from '../../ledger/index.ts';
import type { OpenArchiveWriter } from '../../ledger/index.ts';
import { openFilesLog } from '../../log/index.ts';
import type { Position } from '../../log/index.ts';
import { limits } from '../../model/limits.ts';
import type { AnyStep } from '../crash-point.ts';
import { smallBlockDeflater } from '../helpers/deflater.ts';
import type { SmallBlockDeflater } from '../helpers/deflater.ts';
import type { ShardStart } from '../link/link.ts';
import type { boundsOfShard } from './bounds.ts';

export interface Kept {
  readonly buffer: ShardBuffer;
  readonly archive: OpenArchiveWriter;
  readonly smallBlocks: SmallBlockDeflater;
}

export type OpenKeptOutcome =
  | { readonly kind: 'open'; readonly kept: Kept }
  | { readonly kind: 'refused'; readonly detail: string };

type Handed = Pick<
  BufferDeps,
  'files' | 'clock' | 'random' | 'diagnostics' | 'weightOf' | 'diskShares' | 'diskSharers'
>;

export interface OpenKept extends Handed {
  readonly start: ShardStart;
  readonly bounds: ReturnType<typeof boundsOfShard>;
  readonly onStep: (step: AnyStep) => void;
}

export async function openKept(deps: OpenKept): Promise<OpenKeptOutcome> {
  const { start, bounds, ...given } = deps;
  const { files, clock, diagnostics, onStep } = given;
  const { config, paths } = start;
  // What a checkpoint knows to be durable must be there: what is missing before it is damage, and never a short log (I10).
  const known = await knownEnd(files, paths.buffer);
  const openedLog = await openFilesLog({
    files,
    directory: paths.log,
    clock,
    diagnostics,
    segmentBytes: config.buffer.segmentBytes,
    recordBytes: limits.log.recordBytes,
    commitBytes: limits.log.commitBytes,
    openSegments: bounds.log.openSegments,
    shard: start.shard,
    onStep,
    ...(known === undefined ? {} : { knownEnd: known as Position }),
  });
  const refused = (detail: string): OpenKeptOutcome => ({
    kind: 'refused',
    detail: `the log ${paths.log}: ${detail}`,
  });
  if (openedLog.kind !== 'open') return refused(openedLog.detail);
  if (openedLog.tornTailBytes > 0) {
    diagnostics.info('log.torn_tail', { bytes: openedLog.tornTailBytes });
  }
  const archive = await openArchiveWriter({
    files,
    directory: paths.archive,
    clock,
    diagnostics,
    fileBytes: limits.ledger.archiveFileBytes,
    keepMs: limits.ledger.archiveMs,
    onStep,
  });
  const smallBlocks = smallBlockDeflater({
    clock,
    diagnostics,
    silentMs: limits.buffer.apartSilentMs,
    restMs: limits.buffer.apartRestMs,
  });
  const openedBuffer = await openBuffer({
    ...given,
    log: openedLog.log,
    directory: paths.buffer,
    ledger: archive,
    deflateMany: smallBlocks.deflate,
    limits: bounds,
  });
  if (openedBuffer.kind !== 'open') {
    await openedLog.log.close();
    return refused(openedBuffer.detail);
  }
  archive.live();
  const { buffer } = openedBuffer;
  if (buffer.durability === 'memory') {
    diagnostics.warn(
      'the data folder lies in memory: what is accepted is gone with the machine’s power',
      { directory: paths.log },
    );
  }
  return { kind: 'open', kept: { buffer, archive, smallBlocks } };
}
