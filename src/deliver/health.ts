/**
 * What a job knows of its destination: the circuit, failures in a row, and whether batches have been accepted lately.
 * Times are monotonic unless their name says wall. Holds no timer and starts nothing.
 */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Attempt } from '../model/delivery.ts';
import { backoffMs, probeDelayMs } from './backoff.ts';
import { nextCircuit } from './circuit.ts';
import type { CircuitEvent, CircuitState } from './circuit.ts';
import type { DeliverLimits } from './contract.ts';

export type HealthLimits = Pick<
  DeliverLimits,
  | 'backoffMs'
  | 'backoffMsMax'
  | 'retryAfterMsMax'
  | 'probeMs'
  | 'breakerFailures'
  | 'acceptedRecentMs'
>;

export interface HealthTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: HealthLimits;
}

export class Health {
  readonly #tools: HealthTools;
  circuit: CircuitState = 'paused';
  failuresInRow = 0;
  /** While the circuit is not flowing: when the next probe may start. */
  probeAtMs = 0;
  /** Batches accepted since the destination's settings last changed; says whether another passed meanwhile. */
  accepts = 0;
  lastErrorWallMs: number | null = null;
  errorMessage: string | null = null;
  readonly attempts: Record<Attempt['outcome'], number>;
  #lastAcceptedMs: number | undefined;
  /** Time of the first of the failures in a row. */
  #failingSinceMs = 0;

  /** @param attempts made before, when the job had another runner */
  constructor(tools: HealthTools, attempts: Readonly<Record<Attempt['outcome'], number>>) {
    this.#tools = tools;
    this.attempts = { ...attempts };
  }

  /** Whether its batches stand behind those of healthy jobs. */
  get suspect(): boolean {
    return this.failuresInRow > 0 || this.circuit !== 'flowing';
  }

  step(event: CircuitEvent): void {
    this.circuit = nextCircuit(this.circuit, event);
  }

  /** @returns true when the circuit flows again: everything at rest may be tried at once */
  accepted(): boolean {
    const before = this.circuit;
    this.failuresInRow = 0;
    this.accepts += 1;
    this.#lastAcceptedMs = this.#tools.clock.monotonicMs();
    this.forgetError();
    this.step('accepted');
    return before !== this.circuit;
  }

  /**
   * An attempt failed and may pass later.
   *
   * @param planFailures failures of this very plan in a row, this one included
   * @returns how long the plan rests
   */
  failed(reason: string, planFailures: number, afterMs = 0): number {
    const { clock, random, limits } = this.#tools;
    const nowMs = clock.monotonicMs();
    if (this.failuresInRow === 0) this.#failingSinceMs = nowMs;
    this.failuresInRow += 1;
    this.noteError(reason);
    const obeyedMs = Math.min(Math.max(0, afterMs), limits.retryAfterMsMax);
    if (this.failuresInRow >= limits.breakerFailures) {
      this.step('tripped');
      // A probe at least every `probeMs`, however long the job has been failing.
      const delayMs = probeDelayMs(nowMs - this.#failingSinceMs, limits, random);
      this.probeAtMs = nowMs + Math.max(obeyedMs, delayMs);
    }
    return Math.max(obeyedMs, this.ownDelayMs(planFailures));
  }

  /**
   * An attempt met trouble of our own, which says nothing of the destination. As a probe it is not made again at once: where the
   * disk does not answer, that would be all that the thread does.
   *
   * @returns how long the plan rests
   */
  ownTrouble(planFailures: number): number {
    const { clock, limits } = this.#tools;
    const delayMs = this.ownDelayMs(planFailures);
    this.probeAtMs = Math.max(
      this.probeAtMs,
      clock.monotonicMs() + Math.min(delayMs, limits.probeMs),
    );
    return delayMs;
  }

  /** How long to rest after trouble of our own. */
  ownDelayMs(failures: number): number {
    const { random, limits } = this.#tools;
    const bounds = { firstMs: limits.backoffMs, mostMs: limits.backoffMsMax };
    return backoffMs(failures, bounds, random);
  }

  /**
   * A batch was refused as bad.
   *
   * @param blocked whether the job only probes from now on
   * @returns how long the plan rests
   */
  refused(reason: string, blocked: boolean): number {
    const { clock, limits } = this.#tools;
    this.noteError(reason);
    if (blocked) {
      this.step('refused');
      this.probeAtMs = clock.monotonicMs() + limits.probeMs;
    }
    return limits.probeMs;
  }

  /** Whether the destination has accepted a batch lately. */
  acceptedLately(): boolean {
    const { clock, limits } = this.#tools;
    const last = this.#lastAcceptedMs;
    return last !== undefined && clock.monotonicMs() - last <= limits.acceptedRecentMs;
  }

  /** The destination's settings changed: what was known of it counts no more. */
  redirected(): void {
    this.failuresInRow = 0;
    this.#lastAcceptedMs = undefined;
    this.step('redirected');
  }

  noteError(reason: string): void {
    this.lastErrorWallMs = this.#tools.clock.wallMs();
    this.errorMessage = reason;
  }

  forgetError(): void {
    this.lastErrorWallMs = null;
    this.errorMessage = null;
  }
}
