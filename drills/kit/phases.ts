/** The parts of a drill, and what was measured in each: nothing is compared but with the quiet one. */
import { Histogram } from './histogram.ts';
import type { Summary } from './histogram.ts';
import { watchOtherLoad } from './other-load.ts';

export interface Phase {
  readonly name: string;
  readonly startMs: number;
  /** From the first attempt at a body to its 2xx, as its producer sees it. */
  readonly answers: Histogram;
  /** From the making of a line to its arrival, less the delivery interval; by zone, counted in lines. */
  readonly delays: Map<string, Histogram>;
  /** The control API's answers. */
  readonly control: Histogram;
  /** Questions to the control API without an answer. */
  controlFailures: number;
  /**
   * How late an idle timer of the drill's own process fired: the part of all these times that is nobody's but the measuring
   * process's, which shares the machine's processors with what it measures.
   */
  readonly lateness: Histogram;
  /** Share of the machine's processors that others than the drill had, once the phase is over; undefined: not known. */
  othersShare?: number | undefined;
}

export interface PhaseReport {
  readonly name: string;
  readonly seconds: number;
  readonly answers: Summary;
  readonly delays: Readonly<Record<string, Summary>>;
  readonly control: Summary;
  readonly controlFailures: number;
  readonly lateness: Summary;
  /** Absent: not known. */
  readonly othersShare?: number;
}

/** Wall-clock time without jumps: what lines carry, and what their arrival is compared with. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

const IDLE_TIMER_MS = 10;

export class Phases {
  readonly #phases: Phase[] = [];
  readonly #otherLoad = watchOtherLoad();

  constructor(name: string) {
    this.begin(name);
  }

  get now(): Phase {
    return this.#phases.at(-1)!;
  }

  begin(name: string): Phase {
    const before = this.#phases.at(-1);
    const othersShare = this.#otherLoad();
    if (before) before.othersShare = othersShare;
    const phase = {
      name,
      startMs: nowMs(),
      answers: new Histogram(),
      delays: new Map<string, Histogram>(),
      control: new Histogram(),
      controlFailures: 0,
      lateness: new Histogram(),
    };
    this.#phases.push(phase);
    return phase;
  }

  /** The phase in which something happened. */
  at(ms: number): Phase {
    return this.#phases.findLast(({ startMs }) => startMs <= ms) ?? this.#phases[0]!;
  }

  /** Notes how late an idle timer fires. @returns ends it */
  watchOwnLateness(): () => void {
    let dueMs = performance.now() + IDLE_TIMER_MS;
    const timer = setInterval(() => {
      const now = performance.now();
      this.now.lateness.add(Math.max(0, now - dueMs));
      dueMs = now + IDLE_TIMER_MS;
    }, IDLE_TIMER_MS);
    return () => clearInterval(timer);
  }

  /** A line that was made at `madeMs` has arrived. */
  arrived(zone: string, madeMs: number, delayMs: number): void {
    const { delays } = this.at(madeMs);
    let ofZone = delays.get(zone);
    if (!ofZone) delays.set(zone, (ofZone = new Histogram()));
    ofZone.add(Math.max(0, delayMs));
  }

  /** The largest p99 of the zones' delays in a phase; 0 when nothing arrived. */
  delayP99Ms(phase: string, zones: readonly string[]): number {
    const { delays } = this.named(phase);
    return Math.max(...zones.map((zone) => delays.get(zone)?.quantileMs(0.99) ?? 0));
  }

  named(name: string): Phase {
    const phase = this.#phases.find((one) => one.name === name);
    if (!phase) throw new Error(`there was no phase ${name}`);
    return phase;
  }

  report(): PhaseReport[] {
    this.now.othersShare ??= this.#otherLoad();
    return this.#phases.map((phase, at) => ({
      name: phase.name,
      seconds: Math.round(((this.#phases[at + 1]?.startMs ?? nowMs()) - phase.startMs) / 100) / 10,
      answers: phase.answers.summary(),
      delays: Object.fromEntries(
        [...phase.delays].map(([zone, delays]) => [zone, delays.summary()]),
      ),
      control: phase.control.summary(),
      controlFailures: phase.controlFailures,
      lateness: phase.lateness.summary(),
      ...(phase.othersShare === undefined
        ? {}
        : { othersShare: Math.round(phase.othersShare * 1_000) / 1_000 }),
    }));
  }
}
