/**
 * What of a file was on stable storage when: writes, syncs, names and folders, as a trace shows them.
 *
 * A byte counts from a sync that began after its write had ended and that was carried out without an error, or from the end of
 * its write where the file was opened so that writes sync (`O_DSYNC`). A name counts from a sync of its folder.
 */
import { dirname } from 'node:path';

import type { SystemCall } from './strace.ts';
import { descriptorOf, pathsOf } from './strace.ts';

interface Write {
  readonly from: number;
  readonly to: number;
  readonly ended: number;
  /** Whether it was on stable storage when it had ended. */
  readonly synced: boolean;
}

interface Sync {
  readonly begun: number;
  readonly ended: number;
}

const SYNCS: ReadonlySet<string> = new Set(['fsync', 'fdatasync']);
/** Only writes that say where are of interest: the log never writes anywhere else. */
const WRITES: ReadonlySet<string> = new Set(['pwrite64', 'pwritev']);
const RENAMES: ReadonlySet<string> = new Set(['rename', 'renameat', 'renameat2']);

export class Durability {
  readonly #writes = new Map<string, Write[]>();
  readonly #syncs = new Map<string, Sync[]>();
  /** Files that were made so that each write of them syncs. */
  readonly #syncedWrites = new Set<string>();
  /** By name: where it was made, if the trace saw it. */
  readonly #named = new Map<string, number>();
  /** Names of today by the names that a file had before. */
  readonly #renamed = new Map<string, string>();

  constructor(calls: readonly SystemCall[]) {
    for (const call of calls) if (RENAMES.has(call.name)) this.#rename(call);
    for (const call of calls) this.#take(call);
  }

  /**
   * Why bytes of a file were not safe when the call on line `at` began; undefined when they were.
   *
   * @param from offset in the file; `to` just behind the last byte
   */
  missing(path: string, from: number, to: number, at: number): string | undefined {
    const written = (this.#writes.get(path) ?? []).filter(({ ended }) => ended < at);
    const syncs = (this.#syncs.get(path) ?? []).filter(({ ended }) => ended < at);
    const lastSync = Math.max(-1, ...syncs.map(({ begun }) => begun));
    const hole = (writes: readonly Write[]) => firstHole(writes, from, to);
    if (hole(written) !== undefined) return `byte ${hole(written)} of ${path} was not written`;
    const unsynced = hole(written.filter(({ ended, synced }) => synced || ended < lastSync));
    if (unsynced !== undefined) return `byte ${unsynced} of ${path} was written and not synced`;
    return this.#unnamed(path, at);
  }

  /** Walks up from a file to the first folder that was there before the trace. */
  #unnamed(path: string, at: number): string | undefined {
    for (let name = path; dirname(name) !== name; name = dirname(name)) {
      const made = this.#named.get(name);
      if (made === undefined) continue;
      const folder = dirname(name);
      const synced = (this.#syncs.get(folder) ?? []).some(
        ({ begun, ended }) => begun > made && ended < at,
      );
      if (!synced) return `the name ${name} was made and its folder not synced`;
    }
    return undefined;
  }

  #rename(call: SystemCall): void {
    const [from, to] = pathsOf(call);
    if (!done(call) || from === undefined || to === undefined) return;
    this.#renamed.set(from, to);
    this.#named.set(to, call.ended);
  }

  #take(call: SystemCall): void {
    if (!done(call)) return;
    if (SYNCS.has(call.name)) {
      add(this.#syncs, this.#path(call), { begun: call.begun, ended: call.ended });
    } else if (WRITES.has(call.name)) {
      const from = Number(/, (\d+)$/.exec(call.args)?.[1]);
      const path = this.#path(call);
      const synced = this.#syncedWrites.has(path);
      add(this.#writes, path, { from, to: from + call.result!, ended: call.ended, synced });
    } else if (call.name === 'mkdir' || call.name === 'mkdirat' || isCreation(call)) {
      const name = pathsOf(call)[0];
      if (name === undefined) return;
      if (!this.#renamed.has(name)) this.#named.set(name, call.ended);
      const path = this.#renamed.get(name) ?? name;
      if (syncsWrites(call)) this.#syncedWrites.add(path);
      else this.#syncedWrites.delete(path);
    }
  }

  #path(call: SystemCall): string {
    const path = descriptorOf(call) ?? '';
    return this.#renamed.get(path) ?? path;
  }
}

/** Carried out, without an error. */
function done({ result, injected }: SystemCall): boolean {
  return result !== undefined && result >= 0 && !injected;
}

function isCreation({ name, args }: SystemCall): boolean {
  return name.startsWith('open') && args.includes('O_EXCL') && args.includes('O_CREAT');
}

/** Whoever makes a file is the only one that writes to it. */
function syncsWrites({ name, args }: SystemCall): boolean {
  return name.startsWith('open') && /\bO_D?SYNC\b/.test(args);
}

function add<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** The first byte of a stretch that no write covers. */
function firstHole(writes: readonly Write[], from: number, to: number): number | undefined {
  let covered = from;
  for (const write of writes.toSorted((a, b) => a.from - b.from)) {
    if (write.from > covered) break;
    covered = Math.max(covered, write.to);
  }
  return covered < to ? covered : undefined;
}
