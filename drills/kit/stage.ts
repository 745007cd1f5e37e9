/** What a drill is handed: a folder, the books of the outside, the clock of its phases, and somewhere to tell what happens. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleepFor } from 'node:timers/promises';

import { Counter } from './counter.ts';
import { Phases } from './phases.ts';
import { duration } from './text.ts';
import type { Timeline } from './timeline.ts';
import type { Expectation } from './verdict.ts';

export interface StageOptions {
  readonly folder: string;
  readonly short: boolean;
  /** Whether a delivered line is to vanish, so that the verdict must be red. */
  readonly takeAway: boolean;
  /** The one part that is run; undefined: all. */
  readonly only: string | undefined;
  readonly timeline: Timeline;
  /** Aborts when time is up, the disk bound is passed, or somebody interrupts. */
  readonly signal: AbortSignal;
}

/** Draws how things stand. */
export type Gauge = () => { readonly lines: readonly string[]; readonly plain: string };

export class Stage {
  readonly folder: string;
  readonly short: boolean;
  readonly takeAway: boolean;
  readonly timeline: Timeline;
  readonly signal: AbortSignal;
  readonly #only: string | undefined;
  readonly counter = new Counter();
  readonly phases = new Phases('setting up');
  readonly expectations: Expectation[] = [];
  readonly partsNotRun: { readonly what: string; readonly why: string }[] = [];
  /** Figures worth keeping that are no expectation: what was measured, in words. */
  readonly figures = new Map<string, string>();
  /** Missing lines that the product has told of, by itself. */
  told = 0;
  /** Whether the drill came to its end. */
  isWhole = false;
  gauge: Gauge | undefined;
  readonly #cleanups: (() => Promise<unknown> | void)[] = [];

  constructor(options: StageOptions) {
    this.folder = options.folder;
    this.short = options.short;
    this.takeAway = options.takeAway;
    this.#only = options.only;
    this.timeline = options.timeline;
    this.signal = options.signal;
  }

  /** A folder of its own below the drill's. */
  subfolder(...names: string[]): string {
    const path = join(this.folder, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** An ordinary step. */
  did(what: string, detail = ''): void {
    this.timeline.add('did', what, detail);
  }

  /** A trouble that the drill makes. */
  broke(what: string, detail = ''): void {
    this.timeline.add('broke', what, detail);
  }

  /** The trouble is taken away. */
  mended(what: string, detail = ''): void {
    this.timeline.add('mended', what, detail);
  }

  /** What the product did or said. */
  saw(what: string, detail = ''): void {
    this.timeline.add('saw', what, detail);
  }

  /** Something must be so. It is told only when it is not. */
  expect(what: string, good: boolean, measured: string | number = ''): boolean {
    this.expectations.push({ what, good, measured: String(measured), judged: true });
    if (!good) this.timeline.add('broke', 'NOT SO', `${what}: ${measured}`);
    return good;
  }

  /** A time must keep to its bar. In the short form it is measured and not judged: too little happens there. */
  expectTime(what: string, ms: number, barMs: number, bar = duration(barMs)): void {
    this.expectations.push({
      what: `${what}: at most ${bar}`,
      good: ms <= barMs,
      measured: duration(ms),
      judged: !this.short,
    });
  }

  /** A part is not run: the verdict says so, whatever else it says. */
  notRun(what: string, why: string): void {
    this.partsNotRun.push({ what, why });
    this.timeline.add('skipped', 'not run', `${what}: ${why}`);
  }

  /** Runs a part of the drill, unless another one is to be run alone. */
  async part(name: string, run: () => Promise<void>): Promise<void> {
    if (this.#only === undefined || this.#only === name) await run();
    else this.notRun(name, `only ${this.#only} was asked for`);
  }

  figure(what: string, value: string): void {
    this.figures.set(what, value);
  }

  /** Ends something however the drill ends; last come, first ended. */
  onEnd(end: () => Promise<unknown> | void): void {
    this.#cleanups.push(end);
  }

  async cleanUp(): Promise<void> {
    for (const end of this.#cleanups.splice(0).toReversed()) {
      try {
        await end();
      } catch {
        // What is left of it is in the folder, which goes as well.
      }
    }
  }

  /** Rejects when the drill is to end. */
  async sleep(ms: number): Promise<void> {
    await sleepFor(ms, undefined, { signal: this.signal });
  }

  /** As long as the full form asks, or the short one. */
  async go(seconds: { readonly full: number; readonly short: number }): Promise<void> {
    await this.sleep((this.short ? seconds.short : seconds.full) * 1_000);
  }

  /** Waits for something. @returns how long it took, or undefined when it did not come in time */
  async until(
    condition: () => boolean | Promise<boolean>,
    atMostMs: number,
    everyMs = 100,
  ): Promise<number | undefined> {
    const startMs = performance.now();
    for (;;) {
      if (await condition()) return performance.now() - startMs;
      if (performance.now() - startMs > atMostMs) return undefined;
      await this.sleep(everyMs);
    }
  }
}
