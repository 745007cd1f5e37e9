/**
 * The control store with the data plane's own copy beside it: every change is on the copy before the store commits it, and
 * confirmed there before it is answered. When the store is not what the copy says is in force, nothing may be changed until
 * it has been rebuilt from the copy; what runs goes on (I4).
 */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { TurnSlices } from '../../lib/turn-slices.ts';
import { forAudit } from '../store/change-log.ts';
import { lookAtStore } from '../store/look.ts';
import { RECORDS } from '../store/records.ts';
import { restoreStore } from '../store/restore.ts';
import type {
  Change,
  ChangeEntry,
  ChangeQuery,
  CommitResult,
  Edit,
  LoadResult,
  MainStore,
  OpenStoreResult,
  SealedSecret,
  Store,
} from '../store/store.ts';
import { History } from './history.ts';
import { Holdings } from './holdings.ts';
import type { Journal } from './journal.ts';
import { difference } from './judge.ts';
import type { Trouble } from './judge.ts';
import type { ChangeLine } from './line.codec.ts';
import { fileNumbers } from './recover.ts';
import { resealFile } from './reseal.ts';

/** Why the store cannot be changed, and since when. */
export interface ReadOnly {
  readonly trouble: Trouble;
  /** For an operator: what is the matter, with paths. */
  readonly detail: string;
  readonly sinceMs: number;
}

/** How the configuration stands, for status and metrics. */
export interface Standing {
  readonly version: number;
  readonly sum: string;
  readonly readOnly: ReadOnly | undefined;
  /** What was found wrong with the copy itself at the start; undefined: nothing. */
  readonly copyDamage: string | undefined;
  readonly directory: string;
}

export type RebuildOutcome =
  | { readonly kind: 'rebuilt'; readonly version: number; readonly aside: string | undefined }
  /** The store is what it should be. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly detail: string };

export interface CopiedStoreDeps {
  readonly files: FileSystem;
  /** Of the control store's file. */
  readonly path: string;
  readonly open: () => Promise<OpenStoreResult>;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly changesKept: number;
  readonly copyDamage?: string;
}

/** Changes that are looked through at once when the copy stands in for the store's change log. */
const PAGE = 256;

export class CopiedStore implements Store {
  readonly #deps: CopiedStoreDeps;
  readonly history: History;
  #main: MainStore | undefined;
  #readOnly: ReadOnly | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @param main the store, when it holds what the copy holds; otherwise why not */
  constructor(
    deps: CopiedStoreDeps,
    main: MainStore | { readonly trouble: Trouble; readonly detail: string },
  ) {
    this.#deps = deps;
    this.history = new History(deps.files, deps.journal.directory, () => deps.journal.newest);
    if ('trouble' in main) this.#refuseChanges(main.trouble, main.detail);
    else this.#main = main;
  }

  get standing(): Standing {
    const { journal, copyDamage } = this.#deps;
    const { version, sum } = journal.holdings;
    return {
      version,
      sum,
      copyDamage,
      readOnly: this.#readOnly,
      directory: journal.directory,
    };
  }

  get journal(): Journal {
    return this.#deps.journal;
  }

  readOnly(): string | undefined {
    if (!this.#readOnly) return undefined;
    const { version } = this.#deps.journal.holdings;
    return `The control store ${TROUBLE_TEXT[this.#readOnly.trouble]}. Version ${version} stays in force and lines are taken and delivered as before, but nothing can be changed until an operator runs \`waybill control rebuild\`.`;
  }

  load(): Promise<LoadResult> {
    return Promise.resolve({ kind: 'loaded', contents: this.#deps.journal.holdings.contents() });
  }

  async commit(change: Change): Promise<CommitResult> {
    const edits: Edit[] = [];
    const slices = new TurnSlices(this.#deps.clock);
    for (const edit of change.edits) {
      if (slices.isDue()) await slices.next();
      edits.push(canonical(edit));
    }
    return await this.#serial(() => this.#commit({ ...change, edits }));
  }

  async #commit(change: Change): Promise<CommitResult> {
    const { journal } = this.#deps;
    const main = this.#main;
    if (!main) return { kind: 'failed', detail: this.#readOnly?.detail ?? 'it is closed' };
    if (change.base !== journal.holdings.version) return { kind: 'stale' };
    const before = journal.holdings.sum;
    let after: string;
    try {
      after = await journal.append(change);
    } catch (error) {
      return { kind: 'failed', detail: `the snapshots do not take it: ${messageOf(error)}` };
    }
    const result = await main.commit(change, { before, after });
    if (result.kind === 'committed') {
      await journal.confirm();
      return result;
    }
    await journal.undo();
    await this.#look(false);
    // Whatever the store holds now: what is in force is what this change was made from.
    return result.kind === 'stale'
      ? {
          kind: 'failed',
          detail: this.#readOnly?.detail ?? 'the control store was changed by others',
        }
      : result;
  }

  async changes(query: ChangeQuery): Promise<readonly ChangeEntry[]> {
    if (this.#main) {
      try {
        return await this.#main.changes(query);
      } catch (error) {
        this.#refuseChanges(
          'damaged',
          `The change log in ${this.#deps.path} cannot be read: ${messageOf(error)}`,
        );
      }
    }
    return await this.#changesFromCopy(query);
  }

  /** The same entries as the store's, as far as the copy reaches back. */
  async #changesFromCopy({
    before,
    after = -1,
    scope,
    withBefore,
    limit,
  }: ChangeQuery): Promise<ChangeEntry[]> {
    const newest = this.#deps.journal.holdings.version;
    const oldest = Math.max(after + 1, await this.history.oldest());
    const found: ChangeEntry[] = [];
    for (let to = Math.min(newest, (before ?? newest + 1) - 1); to >= oldest; to -= PAGE) {
      const page: ChangeLine[] = [];
      for await (const line of this.history.changes(Math.max(oldest, to - PAGE + 1), to))
        page.push(line);
      for (const line of page.toReversed()) {
        const entry = entryOf(line);
        const edits =
          scope === undefined
            ? entry.edits
            : entry.edits.filter(({ concerns }) => concerns.includes(scope));
        const isAsked =
          withBefore === undefined || entry.edits.some((edit) => edit.before !== null);
        if (isAsked && (scope === undefined || edits.length > 0)) found.push({ ...entry, edits });
        if (found.length >= limit) return found;
        // Whoever has the scope's id now has no business with what was before.
        if (line.edits.some(({ kind, id, after }) => after === null && `${kind}s/${id}` === scope))
          return found;
      }
    }
    return found;
  }

  /** Looks whether the store is still what it should be; `whole` reads all of it. */
  look(whole: boolean): Promise<void> {
    return this.#serial(async () => {
      if (!this.#closed) await this.#look(whole);
    });
  }

  async #look(whole: boolean): Promise<void> {
    const { path, files, journal, clock, diagnostics } = this.#deps;
    const look = await lookAtStore(path, files, whole, () => clock.sleep(0));
    const { version, sum } = journal.holdings;
    if (look.kind === 'trouble')
      return this.#refuseChanges(look.trouble, `The control store ${path} ${look.detail}.`);
    // Records of older formats read the same and sum up differently: only reading all of it tells.
    const main = this.#readOnly && look.version === version ? await this.#reopen() : undefined;
    if (main) {
      this.#main = main;
      this.#readOnly = undefined;
      return diagnostics.info('the control store is what it should be again', { path, version });
    }
    if (look.version !== version || look.checksum !== sum) {
      const { trouble, detail } = difference(
        { version, sum },
        { version: look.version, sum: look.checksum },
      );
      return this.#refuseChanges(trouble, `${detail} (${path})`);
    }
  }

  /** The store that lies there now, if it holds what is in force. */
  async #reopen(): Promise<MainStore | undefined> {
    const opened = await this.#deps.open();
    if (opened.kind === 'unreadable') return undefined;
    const loaded = await opened.store.load();
    const { version, sum } = this.#deps.journal.holdings;
    if (loaded.kind === 'loaded') {
      const found = loaded.canonicalSum ?? Holdings.of(loaded.contents).sum;
      if (loaded.contents.version === version && found === sum) {
        if (loaded.checksum !== sum) opened.store.normalise();
        return opened.store;
      }
    }
    await opened.store.close();
    return undefined;
  }

  /** Writes the store anew from what is in force, with the history that the copy has. What lay there is set aside. */
  rebuild(): Promise<RebuildOutcome> {
    return this.#serial(async () => {
      const { path, files, journal, clock, diagnostics, changesKept } = this.#deps;
      await this.#look(true);
      if (!this.#readOnly) return { kind: 'nothing' };
      const { holdings } = journal;
      const { version } = holdings;
      try {
        const oldest = await this.history.oldest();
        const from = Math.max(oldest, version - changesKept + 1);
        const aside = await restoreStore({
          path,
          files,
          contents: holdings.contents(),
          checksum: holdings.sum,
          changes: this.#restored(from, version),
          changesKept,
          mark: `replaced-${Math.floor(clock.wallMs())}`,
        });
        const main = await this.#reopen();
        if (!main)
          return { kind: 'failed', detail: 'What was written does not hold what is in force.' };
        this.#main = main;
        this.#readOnly = undefined;
        diagnostics.info('the control store was rebuilt from the snapshot in force', {
          path,
          version,
          ...(aside === undefined ? {} : { setAside: aside }),
        });
        return { kind: 'rebuilt', version, aside };
      } catch (error) {
        const detail = messageOf(error);
        diagnostics.alarm('the control store could not be rebuilt', { path, detail });
        return { kind: 'failed', detail };
      }
    });
  }

  async *#restored(from: number, to: number) {
    for await (const line of this.history.changes(from, to))
      yield { ...line, concerns: line.edits.map(({ concerns }) => concerns) };
  }

  /**
   * Seals the secrets of the history anew, after those in force were.
   *
   * @returns false when a file could not be written anew
   */
  async resealHistory(reseal: (sealed: SealedSecret) => SealedSecret): Promise<boolean> {
    const { files, journal, diagnostics } = this.#deps;
    const { directory } = journal;
    try {
      await journal.rebase();
      const newest = journal.newest.number;
      for (const number of await fileNumbers(files, directory)) {
        if (number < newest && !this.#closed) await resealFile(files, directory, number, reseal);
      }
      return !this.#closed;
    } catch (error) {
      diagnostics.alarm('the history could not be sealed with the new key', {
        detail: messageOf(error),
      });
      return false;
    } finally {
      this.history.forgetPlaces();
    }
  }

  async close(): Promise<void> {
    await this.#serial(async () => {
      this.#closed = true;
      await this.#main?.close();
      this.#main = undefined;
    });
    await this.#deps.journal.close();
  }

  #refuseChanges(trouble: Trouble, detail: string): void {
    const { clock, diagnostics, journal } = this.#deps;
    const main = this.#main;
    this.#main = undefined;
    void main?.close();
    if (this.#readOnly?.trouble === trouble) return;
    const sinceMs = this.#readOnly?.sinceMs ?? clock.wallMs();
    this.#readOnly = { trouble, detail, sinceMs };
    diagnostics.alarm('the control store is not what is in force; nothing can be changed', {
      trouble,
      detail,
      version: journal.holdings.version,
      advice: 'run waybill control rebuild',
    });
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

/** For who tries to change something: no path, for he may be a customer. */
const TROUBLE_TEXT: Readonly<Record<Trouble, string>> = {
  missing: 'is missing',
  empty: 'is empty',
  locked: 'is locked by another process',
  damaged: 'is damaged',
  newer: 'was written by a newer version of Waybill',
  unusable: 'cannot be opened',
  older: 'is older than the configuration in force',
  newer_version: 'holds a change that was not made here',
  differs: 'does not hold the configuration in force',
};

/** As it is read back, with its keys in the schema's order: so that store and copy sum up the same now and after a start. */
function canonical(edit: Edit): Edit {
  if (edit.after === null) return edit;
  return { ...edit, after: RECORDS[edit.kind].parse(edit.after) } as Edit;
}

/** A change of the copy as an auditor reads it. */
export function entryOf(line: ChangeLine): ChangeEntry {
  const { version, atMs, who, address, what, voice, reason } = line;
  return {
    version,
    atMs,
    who,
    address,
    what,
    voice,
    reason,
    edits: line.edits.map(({ kind, id, before, after, concerns }) => ({
      kind,
      id,
      concerns,
      before: forAudit(before),
      after: forAudit(after),
    })),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
