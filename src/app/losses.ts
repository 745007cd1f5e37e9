import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import { LossDesk, openLossStore } from '../loss/index.ts';
import type { LossStore } from '../loss/index.ts';
import { limits } from '../model/limits.ts';
import type { Waybill } from '../model/delivery.ts';
import type { Shards } from './shards.ts';

export interface LossesOptions {
  readonly files: FileSystem;
  /** The store's file. */
  readonly path: string;
  /** `deliver.lossMarkers`. */
  readonly isOn: boolean;
  readonly shards: () => Shards;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
}

/** Destinations are told what was lost, if the operator has not turned it off. */
export interface Losses {
  heard(waybill: Waybill): void;
  keep(): void;
  /** Call it once the shard runs. */
  start(): void;
  close(): void;
}

/** @throws what SQLite throws when the store cannot be opened at all */
export async function losses(options: LossesOptions): Promise<Losses> {
  if (!options.isOn) return { heard() {}, keep() {}, start() {}, close() {} };
  const { clock, diagnostics } = options;
  const desk = new LossDesk({
    store: await openStore(options),
    limits: limits.lossNotices,
    clock,
    diagnostics,
    tell: (marker) => options.shards().tellLoss(marker),
  });
  let stop = () => {};
  return {
    heard: (waybill) => desk.heard(waybill),
    keep: () => desk.keep(),
    start() {
      stop = clock.every(limits.lossNotices.tendMs, () => desk.tend());
    },
    close() {
      stop();
      desk.close();
    },
  };
}

async function openStore(options: LossesOptions): Promise<LossStore> {
  const { files, path, clock, diagnostics } = options;
  const open = () => openLossStore(path, clock.wallMs(), limits.lossNotices);
  let store = open();
  if (store === 'unusable') {
    diagnostics.warn('notices of lost lines are unreadable; begun anew', { path });
    for (const suffix of ['', '-wal', '-shm'])
      await files.unlink(`${path}${suffix}`).catch(() => {});
    store = open();
  }
  if (store === 'unusable') throw new Error(`the notices of lost lines cannot be opened: ${path}`);
  return store;
}
