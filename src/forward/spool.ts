/**
 * A forwarder's spool: the same log, buffer, archive and delivery as a server's shard, with one destination. There is no
 * second code path for durability.
 */
import { inflateBlock, knownEnd, openBuffer } from '../buffer/index.ts';
import type { BufferStep, ShardBuffer } from '../buffer/index.ts';
import { compileContent, createDelivery } from '../deliver/index.ts';
import type { Delivery } from '../deliver/index.ts';
import type { Sender } from '../destinations/index.ts';
import { ARCHIVE_STEPS, openArchiveWriter } from '../ledger/index.ts';
import type { KeptLines, OpenArchiveWriter } from '../ledger/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { Random } from '../lib/random.ts';
import { openFilesLog } from '../log/index.ts';
import type { Position, Step } from '../log/index.ts';
import { limits } from '../model/limits.ts';
import type { JobConfig } from '../model/snapshot.ts';
import type { ForwardConfig } from '../model/forward-settings.ts';
import { withSpoolSpace } from './spool-space.ts';

/** A durability step of the spool; tests end the process there. */
export type SpoolStep = Step | BufferStep | (typeof ARCHIVE_STEPS)[number];

export interface SpoolDeps {
  readonly files: FileSystem;
  /** Folders of the spool, which are there. */
  readonly paths: { readonly log: string; readonly buffer: string; readonly archive: string };
  readonly config: Pick<ForwardConfig, 'buffer' | 'deliver'>;
  readonly openSender: (job: JobConfig) => Promise<Sender>;
  /** Names the receivers in waybills. */
  readonly fingerprint: string;
  /** Lines that no receiver will ever take, kept so that they can be looked at. */
  readonly keptLines: KeptLines;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly onStep?: (step: SpoolStep) => void;
}

export interface Spool {
  readonly buffer: ShardBuffer;
  readonly delivery: Delivery;
  /** Refuses lines from now on, ends what is being sent, closes. */
  close(signal: AbortSignal): Promise<void>;
}

export type OpenSpool =
  | { readonly kind: 'open'; readonly spool: Spool }
  | { readonly kind: 'refused'; readonly detail: string };

const TEND_MS = 1_000;
/** How long a receiver that is away is left alone at most: it is the one thing that a forwarder is there for. */
const AWAY_MS = 10_000;
/** Below the disk's own marks the spool is not bounded: it is a disk of its own, made for this. */
const MARKS = { lowWatermark: 0.85, highWatermark: 0.95 };

export async function openSpool(deps: SpoolDeps): Promise<OpenSpool> {
  const { files, paths, clock, random, diagnostics, config } = deps;
  const steps = deps.onStep ? { onStep: deps.onStep } : {};
  const known = await knownEnd(files, paths.buffer);
  const openedLog = await openFilesLog({
    files,
    directory: paths.log,
    clock,
    diagnostics,
    segmentBytes: config.buffer.segmentBytes,
    recordBytes: limits.log.recordBytes,
    commitBytes: limits.log.commitBytes,
    openSegments: limits.log.openSegments,
    shard: 0,
    ...steps,
    ...(known === undefined ? {} : { knownEnd: known as Position }),
  });
  if (openedLog.kind !== 'open')
    return { kind: 'refused', detail: `the spool ${paths.log}: ${openedLog.detail}` };
  const archive = await openArchiveWriter({
    files,
    directory: paths.archive,
    clock,
    diagnostics,
    fileBytes: limits.ledger.archiveFileBytes,
    keepMs: limits.ledger.archiveMs,
    ...steps,
  });
  let held = (): number => 0;
  const openedBuffer = await openBuffer({
    log: openedLog.log,
    files: withSpoolSpace(files, config.buffer.spoolBytes, () => held()),
    directory: paths.buffer,
    clock,
    random,
    diagnostics,
    ledger: archive,
    limits: {
      log: { ...limits.log, segmentBytes: config.buffer.segmentBytes },
      buffer: {
        ...limits.buffer,
        ...MARKS,
        producers: limits.forward.producers,
        holdbackMs: config.buffer.holdbackMs,
        retentionMs: config.buffer.retentionMs,
      },
    },
    ...steps,
  });
  if (openedBuffer.kind !== 'open') {
    await openedLog.log.close();
    return { kind: 'refused', detail: `the spool ${paths.log}: ${openedBuffer.detail}` };
  }
  archive.live();
  const { buffer } = openedBuffer;
  held = () => buffer.stats().heldBytes;
  const delivery = deliveryOf(deps, buffer);
  const stopTending = tendEvery(buffer, archive, clock, diagnostics);
  return {
    kind: 'open',
    spool: {
      buffer,
      delivery,
      async close(signal) {
        buffer.drain();
        await delivery.drain(signal);
        await delivery.close();
        stopTending();
        await buffer.close();
        await archive.close();
      },
    },
  };
}

function deliveryOf(deps: SpoolDeps, buffer: ShardBuffer): Delivery {
  const { clock, random, diagnostics, config, keptLines, fingerprint } = deps;
  return createDelivery({
    buffer,
    openSender: deps.openSender,
    describe: () => ({ fingerprint, batchBytes: limits.forward.batchBytes, inOrder: true }),
    inflateBlock,
    // Every job sends whole lines.
    compileContent: (job, epoch) => compileContent(job, undefined, epoch),
    contentOf: () => undefined,
    keepLines: (lines) => {
      const atMs = clock.wallMs();
      keptLines.keepNewest(lines.map((line) => ({ ...line, atMs })));
      return Promise.resolve();
    },
    onAttempt: () => {},
    clock,
    random,
    diagnostics,
    limits: {
      ...limits.deliver,
      openPlans: limits.buffer.openPlans,
      backoffMsMax: AWAY_MS,
      probeMs: AWAY_MS,
    },
    intervalMs: config.deliver.intervalMs,
  });
}

function tendEvery(
  buffer: ShardBuffer,
  archive: OpenArchiveWriter,
  clock: Clock,
  diagnostics: Diagnostics,
): () => void {
  let under = false;
  return clock.every(TEND_MS, () => {
    if (under) return;
    under = true;
    void (async () => {
      try {
        await buffer.tend();
        await archive.flush();
      } catch (error) {
        diagnostics.error('chores failed; they are tried again', { error: String(error) });
      } finally {
        under = false;
      }
    })();
  });
}
