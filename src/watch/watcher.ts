/**
 * On the control thread: what shards say of themselves, and what the books and the log say, goes to the rules; what they find
 * becomes alerts. Holds the clock's ticks and nothing else of the outside.
 */
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { AlertBook } from './alert-book.ts';
import type { AlertStore } from './alert-store.ts';
import type {
  AuditedJob,
  Beat,
  Finding,
  JobStanding,
  Loss,
  Notice,
  WatchLimits,
} from './contract.ts';
import type { AlertKind } from './kinds.ts';
import { BacklogEnds } from './rules/backlog-ends.ts';
import { BooksDrift } from './rules/books-drift.ts';
import { DiskRules } from './rules/disk.ts';
import { JobFailing } from './rules/job-failing.ts';
import { LoggedAlarms } from './rules/logged-alarms.ts';
import { Losses } from './rules/losses.ts';
import { NothingSettles } from './rules/nothing-settles.ts';
import { ServerRules } from './rules/server.ts';
import { StreamSilent } from './rules/stream-silent.ts';

export interface WatcherDeps {
  readonly store: AlertStore;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly limits: WatchLimits;
  readonly retentionMs: number;
  readonly diskMarks: { readonly low: number; readonly high: number };
  /** What the newest configuration says, whether or not it is in force: what runs may be wrong. */
  readonly jobStanding: (job: number) => JobStanding;
  readonly streamWanted: (stream: string) => boolean;
  readonly tell: (notice: Notice) => void;
}

const TIDY_MS = 60_000;
const STEADY_NOTE = 'steady streams';

export class Watcher {
  readonly alerts: AlertBook;
  readonly #deps: WatcherDeps;
  readonly #nothingSettles: NothingSettles;
  readonly #jobFailing: JobFailing;
  readonly #backlogEnds: BacklogEnds;
  readonly #silent: StreamSilent;
  readonly #disk: DiskRules;
  readonly #losses: Losses;
  readonly #alarms: LoggedAlarms;
  readonly #books: BooksDrift;
  readonly #server: ServerRules;
  readonly #startMs: number;
  /** When each shard was last heard of. */
  readonly #lastBeatMs = new Map<number, number>();
  #tidiedMs: number;

  constructor(deps: WatcherDeps) {
    const { store, clock, diagnostics, limits, tell } = deps;
    this.#deps = deps;
    this.alerts = new AlertBook({ store, limits, clock, diagnostics, tell });
    const verdicts = this.alerts;
    this.#nothingSettles = new NothingSettles(verdicts, limits);
    this.#jobFailing = new JobFailing(verdicts, limits);
    this.#backlogEnds = new BacklogEnds(verdicts, limits, deps.retentionMs);
    this.#silent = new StreamSilent(verdicts, limits, deps.streamWanted);
    this.#disk = new DiskRules(verdicts, limits, deps.diskMarks);
    this.#losses = new Losses(verdicts, limits);
    this.#alarms = new LoggedAlarms(verdicts, limits);
    this.#books = new BooksDrift(verdicts);
    this.#server = new ServerRules(verdicts, limits, store);
    this.#startMs = clock.monotonicMs();
    this.#tidiedMs = this.#startMs;
    this.#silent.blind(this.#startMs);
    this.#silent.remember(remembered(store), this.#startMs);
  }

  /** A shard's sign of life. */
  beat(beat: Beat): void {
    const { clock, limits } = this.#deps;
    const nowMs = clock.monotonicMs();
    const wallMs = clock.wallMs();
    const quietMs = nowMs - (this.#lastBeatMs.get(beat.shard) ?? this.#startMs);
    if (quietMs > limits.hungBeats * limits.beatMs) this.#silent.blind(nowMs);
    this.#lastBeatMs.set(beat.shard, nowMs);
    for (const look of beat.streams) {
      this.#nothingSettles.look(look, nowMs);
      this.#silent.look(look, nowMs);
      for (const job of look.jobs) {
        this.#jobFailing.look(look.stream, job, nowMs);
        this.#backlogEnds.look(look.stream, job, nowMs, wallMs);
      }
    }
    this.#disk.look(beat.diskUsedShare, nowMs, wallMs);
    this.#server.beat(beat, nowMs);
  }

  /** Called every `beatMs`. */
  tick(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    // Without signs of life of each shard nobody sees its lines: that they are missing says nothing then.
    const beats = [...this.#lastBeatMs.values()];
    const seeing = beats.every((atMs) => nowMs - atMs < 5 * this.#deps.limits.beatMs);
    if (seeing && beats.length > 0) this.#silent.tick(nowMs);
    this.#losses.tick(nowMs);
    this.#alarms.tick(nowMs);
    this.#server.tick(nowMs);
    this.alerts.tend();
    if (nowMs - this.#tidiedMs >= TIDY_MS) {
      this.#tidiedMs = nowMs;
      this.#tidy();
    }
  }

  lost(loss: Loss): void {
    // Books that are summed anew tell old losses once more.
    if (this.#deps.clock.wallMs() - loss.atMs > this.#deps.limits.silentMostMs) return;
    this.#losses.lost(loss, this.#deps.clock.monotonicMs());
  }

  /** An `alarm` of the log, from whichever thread. */
  logged(event: string, detail: string | undefined): void {
    this.#alarms.logged(event, detail, this.#deps.clock.monotonicMs());
  }

  audited(job: AuditedJob): void {
    this.#books.look(job);
  }

  /** A configuration was published. */
  published(version: number): void {
    this.#server.published(version, this.#deps.clock.monotonicMs());
  }

  /** What other parts of the server watch over by themselves. */
  report(finding: Finding): void {
    this.alerts.fire(finding);
  }

  over(kind: AlertKind, subject: string): void {
    this.alerts.clear(kind, subject);
  }

  close(): void {
    this.alerts.tend();
    this.#rememberSteady();
  }

  /** Ends what is about jobs that are off or gone, and writes down what a restart must not forget. */
  #tidy(): void {
    for (const { kind, subject, job } of this.alerts.firing()) {
      if (job === null || kind === 'lines_lost' || kind === 'books_drift') continue;
      if (this.#deps.jobStanding(job) !== 'on') this.alerts.clear(kind, subject);
    }
    for (const { kind, subject, stream } of this.alerts.firing('nothing_settles')) {
      if (stream !== null && !this.#deps.streamWanted(stream)) this.alerts.clear(kind, subject);
    }
    this.#silent.tidy();
    this.#rememberSteady();
  }

  #rememberSteady(): void {
    try {
      this.#deps.store.setNote(STEADY_NOTE, JSON.stringify(this.#silent.steady()));
    } catch (error) {
      this.#deps.diagnostics.warn('steady streams could not be written down', {
        error: String(error),
      });
    }
  }
}

function remembered(store: AlertStore): readonly string[] {
  try {
    const streams: unknown = JSON.parse(store.note(STEADY_NOTE) ?? '[]');
    return Array.isArray(streams) ? streams.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}
