/** Starts and ends the flood, and says what became of it. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { Stage } from '../kit/stage.ts';
import type { FloodCount, FloodOrder } from './flooder.ts';

export class Flood {
  count: FloodCount = { offeredBytes: 0, answeredBytes: 0, streams: 0, answers: {} };
  readonly #child: ChildProcess;
  readonly #startMs = performance.now();
  #seconds = 0;

  constructor(stage: Stage, order: FloodOrder) {
    const command = [
      ...onIdleTime(),
      process.execPath,
      join(import.meta.dirname, 'flooder.ts'),
      JSON.stringify(order),
    ];
    this.#child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    stage.onEnd(() => this.end());
    createInterface(this.#child.stdout!).on('line', (line) => {
      this.count = JSON.parse(line) as FloodCount;
      this.#seconds = (performance.now() - this.#startMs) / 1_000;
    });
  }

  get offeredPerS(): number {
    return this.count.offeredBytes / Math.max(this.#seconds, 1);
  }

  get answeredPerS(): number {
    return this.count.answeredBytes / Math.max(this.#seconds, 1);
  }

  /** What was answered, most often first. */
  get answers(): ReadonlyMap<string, number> {
    return new Map(Object.entries(this.count.answers));
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/**
 * What puts a command on time that nobody else wants, where the system has it. The flood stands for other machines; at the lowest
 * ordinary priority it would still hold a processor for some milliseconds when somebody else is woken up.
 */
function onIdleTime(): readonly string[] {
  const idle = ['chrt', '--idle', '0'];
  return spawnSync(idle[0]!, [...idle.slice(1), 'true']).status === 0 ? idle : [];
}
