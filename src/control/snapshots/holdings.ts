/**
 * Everything of one version of the configuration, by object, with the checksum of the whole kept up to date in the size of
 * each change. The same sum as the control store's (`store/checksum.ts`), over records as this version writes them.
 */
import { addHash, checksumText, objectHash, removeHash, secretHash } from '../store/checksum.ts';
import { everyRecord, nextJobAfter, noRecords } from '../store/contents.ts';
import { RECORDS } from '../store/records.ts';
import type { Kind, RecordOf } from '../store/records.ts';
import type { Change, Contents, SealedSecret } from '../store/store.ts';
import { sealedFromForm, sealedToForm } from './line.codec.ts';
import type { ChangeLine, ObjectLine } from './line.codec.ts';

export interface Held {
  readonly kind: Kind;
  readonly id: string;
  readonly record: RecordOf<Kind>;
}

/** A record as it is written down, and what it adds to the sum as that. */
export interface WrittenHash {
  readonly text: string;
  readonly hash: bigint;
}

/** What tells an object from all others, in the checksum of the whole. */
export const keyOf = (kind: string, id: string): string => `${kind}/${id}`;

export class Holdings {
  version: number;
  nextJob: number;
  #sum = 0n;
  /** By kind and id: no object and no key of its own for each of some hundred thousand. */
  readonly #records = new Map<string, Map<string, RecordOf<Kind>>>();
  readonly #secrets = new Map<string, SealedSecret>();

  constructor(version: number, nextJob: number) {
    this.version = version;
    this.nextJob = nextJob;
  }

  static of(contents: Contents): Holdings {
    const holdings = new Holdings(contents.version, contents.nextJob);
    for (const { kind, id, record } of everyRecord(contents.records))
      holdings.put(kind, id, record);
    for (const secret of contents.secrets) holdings.putSecret(secret);
    return holdings;
  }

  get sum(): string {
    return checksumText(this.#sum);
  }

  get objects(): number {
    let count = 0;
    for (const held of this.#records.values()) count += held.size;
    return count;
  }

  get secretCount(): number {
    return this.#secrets.size;
  }

  record(kind: string, id: string): RecordOf<Kind> | null {
    return this.#records.get(kind)?.get(id) ?? null;
  }

  secret(id: string): SealedSecret | undefined {
    return this.#secrets.get(id);
  }

  /** What a record adds to the sum; undefined: there is none. */
  hashOf(kind: string, id: string): bigint | undefined {
    const record = this.record(kind, id);
    return record ? recordHash(keyOf(kind, id), record) : undefined;
  }

  /** What a secret adds to the sum; undefined: there is none. */
  secretHashOf(id: string): bigint | undefined {
    const secret = this.#secrets.get(id);
    return secret && secretHash(secret);
  }

  *records(): Generator<Held> {
    for (const [kind, held] of this.#records)
      for (const [id, record] of held) yield { kind: kind as Kind, id, record };
  }

  secrets(): IterableIterator<SealedSecret> {
    return this.#secrets.values();
  }

  put(kind: Kind, id: string, record: RecordOf<Kind> | null): void {
    this.#put(kind, id, record, record && recordHash(keyOf(kind, id), record));
  }

  #put(kind: Kind, id: string, record: RecordOf<Kind> | null, hash: bigint | null): void {
    let held = this.#records.get(kind);
    if (!held) this.#records.set(kind, (held = new Map()));
    const before = held.get(id);
    if (before) this.#sum = removeHash(this.#sum, recordHash(keyOf(kind, id), before));
    if (record === null || hash === null) {
      held.delete(id);
      return;
    }
    this.#sum = addHash(this.#sum, hash);
    held.set(id, record);
  }

  /** @param known what it adds to the sum, when that is known already */
  putSecret(secret: SealedSecret, known?: bigint): void {
    this.dropSecret(secret.id);
    this.#sum = addHash(this.#sum, known ?? secretHash(secret));
    this.#secrets.set(secret.id, secret);
  }

  dropSecret(id: string): void {
    const before = this.#secrets.get(id);
    if (!before) return;
    this.#sum = removeHash(this.#sum, secretHash(before));
    this.#secrets.delete(id);
  }

  /** Makes the change, and says how it is written down. */
  apply(made: Change): ChangeLine {
    const edits = made.edits.map(({ kind, id, after }, index) => {
      const before = this.record(kind, id);
      this.put(kind, id, after);
      return { kind, id, before, after, concerns: [...(made.concerns[index] ?? [])] };
    });
    const touched = [...new Set([...made.dropSecrets, ...made.seal.map(({ id }) => id)])];
    const before = new Map(touched.map((id) => [id, this.#secrets.get(id)]));
    for (const id of made.dropSecrets) this.dropSecret(id);
    for (const secret of made.seal) this.putSecret(secret);
    this.nextJob = nextJobAfter(this.nextJob, made.edits);
    this.version = made.base + 1;
    const secrets = touched.map((id) => ({
      id,
      before: formOf(before.get(id)),
      after: formOf(this.#secrets.get(id)),
    }));
    const { atMs, who, address, what, voice, reason } = made;
    return {
      version: this.version,
      atMs,
      who,
      address,
      what,
      voice,
      reason,
      nextJob: this.nextJob,
      edits,
      secrets,
      sum: this.sum,
    };
  }

  /** Makes a change as it was written down. False when it holds what is no object of ours: then nothing of it is made. */
  replay(line: ChangeLine): boolean {
    const edits = line.edits.map(({ kind, id, after }) => ({ id, read: readEdit(kind, after) }));
    for (const { read } of edits) if (!read) return false;
    for (const { id, read } of edits) if (read) this.put(read.kind, id, read.record);
    for (const { id, after } of line.secrets) {
      if (after) this.putSecret(sealedFromForm(id, after));
      else this.dropSecret(id);
    }
    this.version = line.version;
    this.nextJob = line.nextJob;
    return true;
  }

  /** Takes the newest change back. */
  revert(line: ChangeLine, nextJobBefore: number): void {
    for (const { kind, id, before } of line.edits) {
      const read = readEdit(kind, before);
      if (read) this.put(read.kind, id, read.record);
    }
    for (const { id, before } of line.secrets) {
      if (before) this.putSecret(sealedFromForm(id, before));
      else this.dropSecret(id);
    }
    this.version = line.version - 1;
    this.nextJob = nextJobBefore;
  }

  /**
   * Takes an object of a base.
   *
   * @param written what it was written as, with its hash
   * @returns its hash as this version writes it; undefined when it is none of ours
   */
  takeObject({ kind, id, record }: ObjectLine, written: WrittenHash): bigint | undefined {
    const read = record === null ? undefined : readEdit(kind, record);
    if (!read?.record) return undefined;
    const text = JSON.stringify(read.record);
    if (text !== written.text) {
      const hash = objectHash(keyOf(kind, id), text);
      this.#put(read.kind, id, read.record, hash);
      return hash;
    }
    // The same, as it came out of the file: half as large as what the check has built.
    this.#put(read.kind, id, record as RecordOf<Kind>, written.hash);
    return written.hash;
  }

  contents(): Contents {
    const records = noRecords();
    // In the store's order, wherever they come from: the same configuration looks the same.
    for (const [kind, held] of this.#records) {
      const sorted = [...held].toSorted(([a], [b]) => (a < b ? -1 : 1));
      (records[kind as Kind] as RecordOf<Kind>[]) = sorted.map(([, record]) => record);
    }
    records.job.sort((a, b) => a.id - b.id);
    records.replay.sort((a, b) => a.id - b.id);
    return {
      version: this.version,
      nextJob: this.nextJob,
      records,
      secrets: [...this.#secrets.values()],
    };
  }
}

function formOf(secret: SealedSecret | undefined) {
  return secret ? sealedToForm(secret) : null;
}

function recordHash(key: string, record: RecordOf<Kind>): bigint {
  return objectHash(key, JSON.stringify(record));
}

/** What an edit leaves, checked; undefined when it is no object of ours. */
function readEdit(
  kind: string,
  record: unknown,
): { readonly kind: Kind; readonly record: RecordOf<Kind> | null } | undefined {
  if (!Object.hasOwn(RECORDS, kind)) return undefined;
  if (record === null) return { kind: kind as Kind, record: null };
  const parsed = RECORDS[kind as Kind].safeParse(record);
  return parsed.success ? { kind: kind as Kind, record: parsed.data } : undefined;
}
