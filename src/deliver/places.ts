/**
 * What jobs that deliver to the same place with the same credentials know of it together: one breaker for all of them, so
 * that a thousand jobs of one dead receiver ask it once in a while, and not each by itself.
 *
 * The breaker opens after failures in a row that come from more than one job: what one job alone meets (a batch that makes
 * its receiver fall over) says nothing of the others, and that job has a circuit of its own (`circuit.ts`). While it is
 * open the jobs that have something to send wait in a queue, and the first sends one batch as a probe; after a failure it
 * stands last. When a probe is answered all go on at once. Nothing is decided here about lines: they rest where they are.
 */
import type { Cancel } from '../lib/clock.ts';
import { probeDelayMs } from './backoff.ts';
import type { HealthTools } from './health.ts';

/** A job that waits at a place. */
export interface Visitor {
  /** Starts an attempt and hands it to `claim` before; false when there is nothing to send any more. */
  readonly probe: (claim: (attempt: object) => void) => boolean;
  /** The place takes batches again. */
  readonly recovered: () => void;
}

export interface Trouble {
  readonly reason: string;
  readonly atWallMs: number;
}

interface Failure {
  readonly job: number;
  /** The attempt that failed: tells the probe from one that was under way before. */
  readonly attempt: object;
  readonly reason: string;
  /** How long the receiver asks to be left alone. */
  readonly afterMs?: number | undefined;
}

export class Place {
  readonly key: string | undefined;
  /** Jobs that send here; kept by {@link Places}. */
  jobs = 0;
  readonly #tools: HealthTools;
  /** The places of the shard whose breaker is open. */
  readonly #open: Set<Place>;
  #failuresInRow = 0;
  /** The job of the first failure in the row, and whether others have failed since. */
  #failedFirst = 0;
  #severalFailed = false;
  #failingSinceMs = 0;
  #notBeforeMs = 0;
  #probeAtMs = 0;
  #probe: { readonly attempt: object; readonly visitor: Visitor } | undefined;
  /** In the order of their turns. */
  readonly #waiting = new Map<number, Visitor>();
  #timer: Cancel | undefined;
  #trouble: Trouble | undefined;

  constructor(key: string | undefined, tools: HealthTools, open: Set<Place>) {
    this.key = key;
    this.#tools = tools;
    this.#open = open;
  }

  /** Whether only probes may be sent. */
  get isOpen(): boolean {
    return this.#open.has(this);
  }

  /** What keeps the jobs waiting; undefined while nothing does. */
  get trouble(): Trouble | undefined {
    return this.isOpen ? this.#trouble : undefined;
  }

  /** Monotonic time of the next probe; not in the future while one is under way. */
  get probeAtMs(): number {
    return this.#probeAtMs;
  }

  admits(attempt: object): boolean {
    return !this.isOpen || this.#probe?.attempt === attempt;
  }

  /** While open: the job has something to send. */
  wait(job: number, visitor: Visitor): void {
    if (this.#waiting.has(job)) return;
    this.#waiting.set(job, visitor);
    if (!this.#timer) this.#arm();
  }

  leave(job: number): void {
    this.#waiting.delete(job);
    if (this.#waiting.size === 0) this.#disarm();
  }

  /** Somebody corrected something: the next probe need not wait for its time. */
  hurry(): void {
    if (!this.isOpen || this.#probe) return;
    this.#probeAtMs = this.#tools.clock.monotonicMs();
    this.#arm();
  }

  /** The receiver took a batch, or said of the batch itself that it is bad: it is there and lets these jobs in. */
  answered(): void {
    this.#failuresInRow = 0;
    if (!this.isOpen) return;
    this.#open.delete(this);
    this.#disarm();
    const visitors = [...this.#waiting.values()];
    if (this.#probe) visitors.unshift(this.#probe.visitor);
    this.#probe = undefined;
    this.#waiting.clear();
    for (const visitor of visitors) visitor.recovered();
  }

  /** An attempt failed in a way that would have met every job here. */
  failed({ job, attempt, reason, afterMs = 0 }: Failure): void {
    const { clock, limits } = this.#tools;
    const nowMs = clock.monotonicMs();
    if (this.#failuresInRow === 0) {
      this.#failedFirst = job;
      this.#severalFailed = false;
      this.#failingSinceMs = nowMs;
      this.#notBeforeMs = 0;
    }
    this.#failuresInRow += 1;
    if (job !== this.#failedFirst) this.#severalFailed = true;
    const obeyedMs = Math.min(Math.max(0, afterMs), limits.retryAfterMsMax);
    this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + obeyedMs);
    this.#trouble = { reason, atWallMs: clock.wallMs() };
    if (this.isOpen) return this.unclear(attempt);
    if (this.#failuresInRow < limits.breakerFailures || !this.#severalFailed) return;
    // The last job has left; nobody would close it again.
    if (this.jobs === 0) return;
    this.#open.add(this);
    this.#probeLater();
  }

  /** An attempt failed in a way that says nothing of the place: as a probe it was in vain. */
  unclear(attempt: object): void {
    if (this.#probe?.attempt !== attempt) return;
    this.#probe = undefined;
    this.#probeLater();
  }

  /** The attempt is over. A probe that came to nothing (its lines are gone, the disk failed) makes room for the next. */
  ended(attempt: object): void {
    if (this.#probe?.attempt !== attempt) return;
    const { clock, limits } = this.#tools;
    this.#probe = undefined;
    this.#probeAtMs = clock.monotonicMs() + limits.backoffMs;
    this.#arm();
  }

  #probeLater(): void {
    const { clock, random, limits } = this.#tools;
    const nowMs = clock.monotonicMs();
    const delayMs = probeDelayMs(nowMs - this.#failingSinceMs, limits, random);
    this.#probeAtMs = Math.max(nowMs + delayMs, this.#notBeforeMs);
    this.#arm();
  }

  #arm(): void {
    this.#disarm();
    if (!this.isOpen || this.#probe || this.#waiting.size === 0) return;
    const { clock } = this.#tools;
    const delayMs = Math.max(0, Math.ceil(this.#probeAtMs - clock.monotonicMs()));
    this.#timer = clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#sendProbe();
    });
  }

  #disarm(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  #sendProbe(): void {
    for (const [job, visitor] of this.#waiting) {
      this.#waiting.delete(job);
      const claim = (attempt: object) => {
        this.#probe = { attempt, visitor };
      };
      if (visitor.probe(claim)) return;
    }
  }
}

/** The places of a shard that have jobs. */
export class Places {
  readonly #tools: HealthTools;
  readonly #shared = new Map<string, Place>();
  readonly #open = new Set<Place>();

  constructor(tools: HealthTools) {
    this.#tools = tools;
  }

  /** @param key the same for jobs that share a place; undefined: the job has one to itself */
  join(key: string | undefined): Place {
    const place = (key === undefined ? undefined : this.#shared.get(key)) ?? this.#newPlace(key);
    place.jobs += 1;
    return place;
  }

  leave(place: Place, job: number): void {
    place.leave(job);
    place.jobs -= 1;
    if (place.jobs > 0) return;
    this.#open.delete(place);
    if (place.key !== undefined) this.#shared.delete(place.key);
  }

  /** How many take no batches, so that only probes are sent. */
  get openBreakers(): number {
    return this.#open.size;
  }

  #newPlace(key: string | undefined): Place {
    const place = new Place(key, this.#tools, this.#open);
    if (key !== undefined) this.#shared.set(key, place);
    return place;
  }
}
