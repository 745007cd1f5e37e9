/** The periodic work of a shard, each part in its own file: looking at the disk, checkpoints, trimming, ends of lines. */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Random } from '../../lib/random.ts';
import type { Position, ShardLog } from '../../log/index.ts';
import type { Checkpoints } from '../checkpoint/checkpoints.ts';
import type { BufferDeps } from '../deps.ts';
import type { Locator } from '../read/locate.ts';
import type { Pages } from '../read/pages.ts';
import type { Reader } from '../read/reader.ts';
import type { ServiceClock } from '../service-clock.ts';
import type { ShardState } from '../state/state.ts';
import type { Committer } from '../write/committer.ts';
import type { JobRecords } from '../write/job-records.ts';
import { Scrub } from '../erasure/scrub.ts';
import type { JobEntry } from '../state/job.ts';
import type { StreamEntry } from '../state/stream.ts';
import { Compaction } from './compaction.ts';
import { Ends } from './ends.ts';
import { LineEnds } from './line-ends.ts';
import type { Round } from './line-ends.ts';
import type { SpaceGuard } from './space.ts';

export interface ChoreLimits {
  readonly checkpointBytes: number;
  readonly holdbackMs: number;
  readonly holdbackShare: number;
  readonly retentionMs: number;
  readonly erasureMs: number;
  readonly replayMs: number;
  readonly openPlans: number;
}

export interface ChoreDeps {
  readonly log: ShardLog;
  readonly state: ShardState;
  readonly service: ServiceClock;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly checkpoints: Checkpoints;
  readonly committer: Committer;
  readonly jobs: JobRecords;
  readonly space: SpaceGuard;
  readonly pages: Pages;
  readonly reader: Reader;
  readonly locator: Locator;
  readonly onStep?: BufferDeps['onStep'] | undefined;
  readonly limits: ChoreLimits;
}

/** A checkpoint is written when this many times its own size was appended: large ones are written less often. */
const CHECKPOINT_RATIO = 4;

/** Parts of the holdback that a tail may be old: what ages by spans is exact to this. */
const TAILS_PER_AGE = 24;
/** Parts of the holdback between two sweeps over all streams and jobs. */
const SWEEPS_PER_AGE = 1_000;
/** Waybills that one call writes for an owner who goes on from now: more hours than the retention has. */
const SKIPS = 1_000;

export class Chores {
  readonly #deps: ChoreDeps;
  #running: Promise<void> | undefined;
  /** `writtenBytes` of the log when the newest checkpoint was written. */
  #writtenAtCheckpoint = 0;
  #spansAtCheckpoint = 0;
  readonly #ends: Ends;
  readonly #lineEnds: LineEnds;
  readonly #compaction: Compaction;
  readonly #scrub: Scrub;
  #endedMs = -Infinity;
  #endSoon = false;
  /** Number of the span that the tail will be, and the service time when it was first seen. */
  #tailSeen = { span: 0, serviceMs: 0 };

  constructor(deps: ChoreDeps) {
    this.#deps = deps;
    this.#compaction = new Compaction(deps);
    this.#scrub = new Scrub({ ...deps, compaction: this.#compaction });
    this.#lineEnds = new LineEnds({ jobs: deps.jobs, wallMs: () => deps.clock.wallMs() });
    const isFull = (): boolean => deps.space.level === 'high';
    this.#ends = new Ends({ ...deps, ends: this.#lineEnds, isFull });
    this.#spansAtCheckpoint = deps.state.spans.nextId;
  }

  /** Does what is due. A call while one is under way joins it. */
  tend(): Promise<void> {
    this.#running ??= this.#tend().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #tend(): Promise<void> {
    await this.#deps.log.mark();
    await this.#deps.space.look();
    await this.#endLines();
    await this.#sealAged();
    const { copyRoomBytes } = this.#deps.space;
    if (this.#crowded(0) && (await this.#compaction.run(copyRoomBytes))) await this.checkpoint();
    // Spans are given up when neither checkpoint needs them.
    if (await this.#scrub.run(copyRoomBytes, !this.#crowded(0))) {
      await this.checkpoint();
      await this.checkpoint();
    }
    if (this.#checkpointDue()) await this.checkpoint();
    await this.#trim();
  }

  /** Something was ordered that ends lines: not to wait for the next sweep's time. */
  endSoon(): void {
    this.#endSoon = true;
  }

  /** Ends a job's lines before an offset as skipped by its owner. Returns whether none is left. */
  async skip(job: JobEntry, before: number): Promise<boolean> {
    const round: Round = { left: SKIPS };
    await this.#lineEnds.end(job, Math.min(before, job.head), 'skipped_by_owner', round);
    const [left] = job.unsettled();
    return left === undefined || left.from >= before;
  }

  /** Whether a stream has erased lines whose bytes are still there, or that are not settled yet. */
  isErasing(stream: StreamEntry): boolean {
    return this.#scrub.isPending(stream);
  }

  /** Looking at every stream is not done more often than its answer can change. */
  async #endLines(): Promise<void> {
    const { limits, service } = this.#deps;
    const now = service.nowMs();
    const step = Math.min(limits.holdbackMs, limits.retentionMs) / SWEEPS_PER_AGE;
    if (now - this.#endedMs < step && !this.#endSoon) return;
    this.#endSoon = false;
    this.#endedMs = now;
    await this.#ends.run();
  }

  /** Whether the holdback must give way, were so many bytes freed already. */
  #crowded(freed: number): boolean {
    const { limits, log, space } = this.#deps;
    const share = (log.stats().heldBytes - freed) / (space.totalBytes ?? Infinity);
    return space.level !== 'plenty' || share > limits.holdbackShare;
  }

  /** Lines age by span, so a tail that fills slowly is sealed by its age. */
  async #sealAged(): Promise<void> {
    const { committer, limits, service, state } = this.#deps;
    const now = service.nowMs();
    if (this.#tailSeen.span !== state.spans.nextId || state.spans.tailRecords === 0) {
      this.#tailSeen = { span: state.spans.nextId, serviceMs: now };
      return;
    }
    const most = Math.min(limits.holdbackMs, limits.retentionMs) / TAILS_PER_AGE;
    if (now - this.#tailSeen.serviceMs >= most) await committer.seal();
  }

  #checkpointDue(): boolean {
    const { checkpoints, limits, log, state } = this.#deps;
    const written = log.stats().writtenBytes - this.#writtenAtCheckpoint;
    if (state.spans.nextId !== this.#spansAtCheckpoint) return true;
    return written >= Math.max(limits.checkpointBytes, checkpoints.bytes * CHECKPOINT_RATIO);
  }

  /** Writes a checkpoint now. */
  async checkpoint(): Promise<boolean> {
    const { checkpoints, log, service, state } = this.#deps;
    const { writtenBytes } = log.stats();
    const { nextId } = state.spans;
    const done = await checkpoints.write(state, service.nowMs());
    if (!done) return false;
    this.#writtenAtCheckpoint = writtenBytes;
    this.#spansAtCheckpoint = nextId;
    return true;
  }

  /** Gives up the spans at the log's beginning that nobody needs: no cursor, no holdback, no checkpoint. */
  async #trim(): Promise<void> {
    const { checkpoints, jobs, log, service, state, limits } = this.#deps;
    // One that is being opened in the past may need what seems free.
    if (jobs.isMoving()) return;
    const now = service.nowMs();
    let freed = 0;
    let before = 0;
    for (const span of state.spans.sealed) {
      if (span.freeServiceMs === null || span.end > checkpoints.trimLimit) break;
      const isHeldBack = now - span.freeServiceMs < limits.holdbackMs && !this.#crowded(freed);
      if (isHeldBack && !span.emptied) break;
      before = span.end;
      freed += span.bytes;
    }
    if (before === 0 || before <= log.start()) return;
    // First here, then in the log: a job that is opened meanwhile must not begin in what is going.
    state.trimmedBefore(before);
    await log.trimBefore(before as Position);
  }

  /** Lets a sweep of retention that stopped to ask go on. Answers how many lines it would drop. */
  expire(mostLines: number): number {
    const lines = this.#ends.expire(mostLines);
    // The next round does not wait for its time.
    if (lines > 0 && lines <= mostLines) this.#endedMs = -Infinity;
    return lines;
  }

  /** Reception time from which all lines can still be replayed. */
  get replayableSinceMs(): number | null {
    const [oldest] = this.#deps.state.spans.sealed;
    return oldest?.lastReceivedMs ?? null;
  }

  /** The last checkpoint, at close. */
  async finish(): Promise<void> {
    await this.#running;
    await this.checkpoint();
  }
}
