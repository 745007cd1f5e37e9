/** Somebody at the wheel: asks the control API now and then, all the time, and notes how long each answer took. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Control } from './control.ts';
import { nowMs } from './phases.ts';
import type { Phases } from './phases.ts';

const EVERY_MS = 200;
const TIMEOUT_MS = 10_000;

export class Probe {
  readonly #control: Control;
  readonly #phases: Phases;
  readonly #paths: readonly string[];
  #running: Promise<void> | undefined;
  #stopped = false;
  /** While nobody can answer: the server is down by the drill's own doing. */
  paused = false;

  constructor(control: Control, phases: Phases, paths: readonly string[]) {
    this.#control = control;
    this.#phases = phases;
    this.#paths = paths;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn += 1) {
      if (!this.paused) await this.#ask(this.#paths[turn % this.#paths.length]!);
      await sleep(EVERY_MS);
    }
  }

  async #ask(path: string): Promise<void> {
    const askedMs = nowMs();
    const { status, ms } = await this.#control.ask('GET', path, { timeoutMs: TIMEOUT_MS });
    if (this.paused) return;
    const phase = this.#phases.at(askedMs);
    if (status === 200) phase.control.add(ms);
    else phase.controlFailures += 1;
  }
}
