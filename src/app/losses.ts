import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { LossDesk, openLossStore } from '../loss/index.ts';
import type { LossStore } from '../loss/index.ts';
import { limits } from '../model/limits.ts';
import type { Waybill } from '../model/delivery.ts';
import { openOrSetAside } from './set-aside.ts';
import type { Shards } from './shards/shards.ts';

export interface LossesOptions {
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
export function losses(options: LossesOptions): Losses {
  if (!options.isOn) return { heard() {}, keep() {}, start() {}, close() {} };
  const { clock, diagnostics } = options;
  const desk = new LossDesk({
    store: openStore(options),
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

function openStore({ path, clock, diagnostics }: LossesOptions): LossStore {
  const open = (at: string) => openLossStore(at, clock.wallMs(), limits.lossNotices);
  return openOrSetAside(path, open, diagnostics);
}
