import type { Clock } from '../lib/clock.ts';
import type { TurnQueue } from '../lib/turn-queue.ts';
import type { BacklogLook } from './backlog-look.ts';
import type { DeliveryDeps } from './contract.ts';
import type { Pace } from './pace.ts';
import type { Places } from './places.ts';
import type { Prepared, PrepareRequest, PrepareTools } from './prepare.ts';
import type { BatchSize, Shape } from './prepare-where.ts';
import type { RecordWindow } from './record-window.ts';
import type { Senders } from './senders.ts';
import type { Turns } from './turns.ts';

/** What all runners share. */
export interface RunnerTools {
  readonly deps: DeliveryDeps;
  readonly clock: Clock;
  readonly prepare: PrepareTools;
  /** Whether a batch of a job is made in another thread. */
  readonly goesApart: (shape: () => Shape) => boolean;
  /** Reads and makes a batch, here or in another thread. */
  readonly prepareBatch: (request: PrepareRequest, size: BatchSize) => Promise<Prepared>;
  readonly backlog: BacklogLook;
  readonly turns: Pick<Turns, 'request'>;
  /** Shared by live jobs and replays. */
  readonly pace: Pace;
  /** Passed by every plan and waybill before it is recorded. */
  readonly records: RecordWindow;
  readonly senders: Senders;
  readonly places: Places;
  /** Aborted when delivery closes. */
  readonly stop: AbortSignal;
  /** Takes what wakes jobs, many of which may be woken at once, so many a turn. */
  readonly calls: TurnQueue;
  /** Whether anything new of a job may start: false from draining on, and while live delivery keeps a replay waiting. */
  readonly mayStart: (job: number) => boolean;
  /** Remembers work under way, so that draining can wait for it. Reports a rejection: one of our own bugs. */
  readonly track: (job: number, work: Promise<void>) => void;
  /** Back-off after trouble of our own. */
  readonly ownDelayMs: (failures: number) => number;
  /** Jobs that the buffer failed to open when their settings came, and has not opened since. */
  readonly late: Set<number>;
  /** The job is closed and nothing of it is under way. */
  readonly forget: (job: number) => void;
}
