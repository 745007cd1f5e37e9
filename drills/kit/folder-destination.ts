/** A customer's folder: reads what lies there, whole files only, as who collects them would. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import type { Counter } from './counter.ts';
import { linesIn } from './lines.ts';
import type { Phases } from './phases.ts';

export class FolderDestination {
  readonly zone: string;
  readonly folder: string;
  readonly complaints: string[] = [];
  files = 0;
  /** Lines that are to vanish as if they had never come. */
  takeAway = 0;
  readonly #read = new Set<string>();
  readonly #counter: Counter;
  readonly #phases: Phases;
  readonly #intervalMs: number;

  constructor(
    zone: string,
    folder: string,
    tools: { readonly counter: Counter; readonly phases: Phases; readonly intervalMs: number },
  ) {
    this.zone = zone;
    this.folder = folder;
    this.#counter = tools.counter;
    this.#phases = tools.phases;
    this.#intervalMs = tools.intervalMs;
  }

  get url(): string {
    return `file://${this.folder}`;
  }

  /** Reads the files that are new. A file that is replaced by its equal is read once. */
  look(): void {
    for (const entry of readdirSync(this.folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || entry.name.startsWith('.') || this.#read.has(path)) continue;
      this.#read.add(path);
      this.files += 1;
      this.#readFile(path);
    }
  }

  #readFile(path: string): void {
    // When it was put there, by the file system's own clock.
    const arrivedMs = statSync(path).mtimeMs;
    let plain: Buffer;
    try {
      plain = gunzipSync(readFileSync(path));
    } catch (error) {
      this.complaints.push(`${path} is no whole gzip file: ${(error as Error).message}`);
      return;
    }
    for (const line of linesIn(plain)) {
      if (this.takeAway > 0) {
        this.takeAway -= 1;
        continue;
      }
      const madeMs = this.#counter.arrived(this.zone, line);
      if (madeMs !== undefined) {
        this.#phases.arrived(this.zone, madeMs, arrivedMs - madeMs - this.#intervalMs);
      }
    }
  }
}
