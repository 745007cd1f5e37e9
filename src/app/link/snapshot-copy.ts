import { addHash, checksumText, objectHash, removeHash } from '../../lib/object-sum.ts';
import type { TurnSlices } from '../../lib/turn-slices.ts';
import type { Snapshot } from '../../model/snapshot.ts';

type ListName = {
  [Name in keyof Snapshot]-?: NonNullable<Snapshot[Name]> extends readonly object[] ? Name : never;
}[keyof Snapshot];
type ItemOf<Name extends ListName> = NonNullable<Snapshot[Name]>[number];

/** Every list of a snapshot, with what tells its items apart. A list that is missing here does not compile. */
const KEY_OF: { readonly [Name in ListName]: (item: ItemOf<Name>) => string } = {
  accounts: ({ id }) => id,
  zones: ({ id }) => id,
  datasets: ({ scope, id }) => `${scope}/${id}`,
  jobs: ({ id }) => String(id),
  replays: ({ id }) => String(id),
  tokens: ({ id }) => id,
};
const LISTS = Object.keys(KEY_OF) as readonly ListName[];

const NOTHING: Snapshot = {
  version: 0,
  accounts: [],
  zones: [],
  datasets: [],
  jobs: [],
  tokens: [],
};

/** What changed from one snapshot to the next: sent instead of the whole. */
export interface SnapshotDelta {
  /** What it is made from, and what it leads to: versions with the checksums of the whole. */
  readonly base: { readonly version: number; readonly sum: string };
  readonly next: { readonly version: number; readonly sum: string };
  readonly put: { readonly [Name in ListName]?: readonly ItemOf<Name>[] };
  readonly gone: { readonly [Name in ListName]?: readonly string[] };
}

/**
 * A snapshot as one of two threads holds it, kept in step by deltas. Both sides compute the checksum of the whole for
 * themselves, in the size of each change; where they differ, the whole is sent again.
 */
export class SnapshotCopy {
  readonly #lists: ReadonlyMap<ListName, Map<string, object>>;
  #version: number;
  #sum = 0n;

  constructor(snapshot: Snapshot) {
    this.#version = snapshot.version;
    this.#lists = new Map(LISTS.map((name) => [name, new Map<string, object>()]));
    for (const name of LISTS) {
      for (const item of itemsOf(snapshot, name)) this.#put(name, keyOf(name, item), item);
    }
  }

  /** The same in short turns: each object is hashed, and there may be hundreds of thousands. */
  static async inTurns(
    snapshot: Snapshot,
    slices: Pick<TurnSlices, 'isDue' | 'next'>,
  ): Promise<SnapshotCopy> {
    const copy = new SnapshotCopy({ ...NOTHING, version: snapshot.version });
    for (const name of LISTS) {
      for (const item of itemsOf(snapshot, name)) {
        if (slices.isDue()) await slices.next();
        copy.#put(name, keyOf(name, item), item);
      }
    }
    return copy;
  }

  get version(): number {
    return this.#version;
  }

  get sum(): string {
    return checksumText(this.#sum);
  }

  /** Takes the next snapshot over. Items that are the same object are the same; others are compared by their content. */
  advance(next: Snapshot): SnapshotDelta {
    const base = { version: this.#version, sum: this.sum };
    const put: Partial<Record<ListName, object[]>> = {};
    const gone: Partial<Record<ListName, string[]>> = {};
    for (const name of LISTS) {
      const changed = this.#putAll(name, itemsOf(next, name));
      if (changed.length > 0) put[name] = changed;
      const left = this.#dropOthers(name, itemsOf(next, name));
      if (left.length > 0) gone[name] = left;
    }
    this.#version = next.version;
    return {
      base,
      next: { version: this.#version, sum: this.sum },
      put: put as SnapshotDelta['put'],
      gone,
    };
  }

  #putAll(name: ListName, items: readonly object[]): object[] {
    const list = this.#list(name);
    const changed: object[] = [];
    for (const item of items) {
      const key = keyOf(name, item);
      const before = list.get(key);
      if (before === item) continue;
      if (before && JSON.stringify(before) === JSON.stringify(item)) list.set(key, item);
      else {
        this.#put(name, key, item);
        changed.push(item);
      }
    }
    return changed;
  }

  #dropOthers(name: ListName, items: readonly object[]): string[] {
    const list = this.#list(name);
    if (list.size === items.length) return [];
    const staying = new Set(items.map((item) => keyOf(name, item)));
    const gone = [...list.keys()].filter((key) => !staying.has(key));
    for (const key of gone) this.#drop(name, key);
    return gone;
  }

  /**
   * Takes a delta over.
   *
   * @returns false when it is made from something else, or leads to something else than it says: then this copy is worth nothing
   */
  apply({ base, next, put, gone }: SnapshotDelta): boolean {
    if (base.version !== this.#version || base.sum !== this.sum) return false;
    for (const name of LISTS) {
      for (const key of gone[name] ?? []) this.#drop(name, key);
      for (const item of put[name] ?? []) this.#put(name, keyOf(name, item), item);
    }
    this.#version = next.version;
    return next.sum === this.sum;
  }

  /** The snapshot as it is now. */
  snapshot(): Snapshot {
    const lists = LISTS.map((name) => [name, [...this.#list(name).values()]]);
    return { version: this.#version, ...Object.fromEntries(lists) } as unknown as Snapshot;
  }

  #list(name: ListName): Map<string, object> {
    return this.#lists.get(name)!;
  }

  #put(name: ListName, key: string, item: object): void {
    const list = this.#list(name);
    const before = list.get(key);
    if (before) this.#sum = removeHash(this.#sum, hashOf(name, key, before));
    this.#sum = addHash(this.#sum, hashOf(name, key, item));
    list.set(key, item);
  }

  #drop(name: ListName, key: string): void {
    const list = this.#list(name);
    const before = list.get(key);
    if (!before) return;
    this.#sum = removeHash(this.#sum, hashOf(name, key, before));
    list.delete(key);
  }
}

function itemsOf(snapshot: Snapshot, name: ListName): readonly object[] {
  return snapshot[name] ?? [];
}

function keyOf(name: ListName, item: object): string {
  return (KEY_OF[name] as (item: object) => string)(item);
}

function hashOf(name: ListName, key: string, item: object): bigint {
  return objectHash(`${name}/${key}`, JSON.stringify(item));
}
