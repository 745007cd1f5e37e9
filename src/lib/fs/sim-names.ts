/** Names of the simulated disk: what is seen, what is on stable storage, and the changes between. */
import { dirname } from 'node:path/posix';

import type { Random } from '../random.ts';
import type { SimFile } from './sim-file.ts';

/** One change of names, whole or not at all. */
interface Change {
  readonly set?: { readonly path: string; readonly file: SimFile };
  readonly removed?: string;
  /** Folders that must be synced before it is on stable storage. */
  readonly unsynced: Set<string>;
}

export class SimNames {
  #seen = new Map<string, SimFile>();
  readonly #stable = new Map<string, SimFile>();
  #pending: Change[] = [];
  /** Folders are durable as soon as they are made: the seam promises it. */
  readonly #directories = new Set<string>(['/']);

  get(path: string): SimFile | undefined {
    return this.#seen.get(path);
  }

  files(): Iterable<SimFile> {
    return new Set(this.#seen.values());
  }

  set(path: string, file: SimFile): void {
    this.#change({ set: { path, file }, unsynced: new Set([dirname(path)]) });
  }

  remove(path: string): void {
    this.#change({ removed: path, unsynced: new Set([dirname(path)]) });
  }

  rename(from: string, to: string, file: SimFile): void {
    const unsynced = new Set([dirname(from), dirname(to)]);
    this.#change({ set: { path: to, file }, removed: from, unsynced });
  }

  isDirectory(path: string): boolean {
    return this.#directories.has(path);
  }

  makeDirectory(path: string): void {
    for (let made = path; !this.#directories.has(made); made = dirname(made)) {
      this.#directories.add(made);
    }
  }

  list(path: string): string[] {
    const prefix = path === '/' ? path : `${path}/`;
    const names: string[] = [];
    for (const entries of [this.#seen.keys(), this.#directories]) {
      for (const entry of entries) {
        if (entry.length === prefix.length || !entry.startsWith(prefix)) continue;
        if (entry.lastIndexOf('/') < prefix.length) names.push(entry.slice(prefix.length));
      }
    }
    return names.sort();
  }

  sync(directory: string): void {
    this.#pending = this.#pending.filter((change) => {
      change.unsynced.delete(directory);
      if (change.unsynced.size > 0) return true;
      apply(change, this.#stable);
      return false;
    });
  }

  /** The power goes: each change that was not synced survives or not, by itself. */
  crash(random: Random): void {
    for (const change of this.#pending) {
      if (random.fraction() < 0.5) apply(change, this.#stable);
    }
    this.#pending = [];
    this.#seen = new Map(this.#stable);
  }

  #change(change: Change): void {
    apply(change, this.#seen);
    this.#pending.push(change);
  }
}

function apply({ set, removed }: Change, names: Map<string, SimFile>): void {
  if (removed !== undefined) names.delete(removed);
  if (set) names.set(set.path, set.file);
}
