/**
 * Opens store and copy together, and decides which of them is in force. Whatever one of them has become, what the other still
 * knows is put in force and told; only when neither can be used, the start is refused (I4).
 */
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import { FsError } from '../lib/fs/file-system.ts';
import { limits } from '../model/limits.ts';
import { CopiedStore } from './snapshots/copied-store.ts';
import { Holdings } from './snapshots/holdings.ts';
import { Journal } from './snapshots/journal.ts';
import type { JournalBounds, JournalDeps } from './snapshots/journal.ts';
import { judgeStart } from './snapshots/judge.ts';
import type { CopyFacts, StoreFacts, Trouble, Verdict } from './snapshots/judge.ts';
import { recoverSnapshots, withoutUnconfirmed } from './snapshots/recover.ts';
import type { Recovered } from './snapshots/recover.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { Contents, Holds, MainStore } from './store/store.ts';

export interface OpeningDeps {
  readonly files: FileSystem;
  /** The data folder. */
  readonly directory: string;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Earlier runs left data behind: a missing store is a loss. */
  readonly mustExist: boolean;
  readonly bounds?: JournalBounds;
}

export type OpenedStore =
  | { readonly kind: 'open'; readonly store: CopiedStore }
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Where the control store lies in a data folder. */
function storePath(directory: string): string {
  return join(directory, 'control.db');
}

type Found =
  | {
      readonly kind: 'whole';
      readonly store: MainStore;
      readonly version: number;
      /** Absent: it is what the copy holds, and was not read into records a second time. */
      readonly contents?: Contents;
      /** Over records as this version writes them. */
      readonly sum: string;
      /** As the store writes it down; it differs where records of older formats are in it. */
      readonly checksum: string;
    }
  | {
      readonly kind: 'trouble';
      readonly facts: Extract<StoreFacts, { kind: 'trouble' }>;
      readonly detail: string;
    };

export async function openStore(deps: OpeningDeps): Promise<OpenedStore> {
  const { files, directory, clock, diagnostics } = deps;
  const folder = join(directory, 'snapshots');
  let copy: Recovered;
  try {
    copy = await recoverSnapshots(files, folder);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    copy = { kind: 'unreadable', head: undefined, detail: error.message };
  }
  const path = storePath(directory);
  const open = () =>
    openSqliteStore({ path, files, mustExist: true, changesKept: limits.control.changes });
  const mayBeNew = copy.kind === 'absent' && !deps.mustExist;
  const found = await findStore(
    mayBeNew
      ? await openSqliteStore({
          path,
          files,
          mustExist: false,
          changesKept: limits.control.changes,
        })
      : await open(),
    copyFacts(copy),
  );
  const verdict = judgeStart(copyFacts(copy), storeFacts(found));
  if (verdict.kind === 'refuse') {
    if (found.kind === 'whole') await found.store.close();
    return {
      kind: 'unreadable',
      detail: found.kind === 'trouble' && copy.kind === 'absent' ? found.detail : verdict.detail,
    };
  }
  const journalDeps: JournalDeps = {
    files,
    directory: folder,
    clock,
    diagnostics,
    bounds: deps.bounds ?? limits.snapshots,
  };
  try {
    const journal = await openJournal(journalDeps, copy, found, verdict);
    const copyDamage = damageOf(copy);
    const storeDeps = {
      files,
      path,
      open,
      journal,
      clock,
      diagnostics,
      changesKept: limits.control.changes,
      ...(copyDamage === undefined ? {} : { copyDamage }),
    };
    if (copyDamage !== undefined)
      diagnostics.alarm('the copy of the configuration is damaged; it is left as it is', {
        detail: verdict.kind === 'take_store' ? (verdict.told ?? copyDamage) : copyDamage,
      });
    return { kind: 'open', store: new CopiedStore(storeDeps, await mainOf(verdict, found)) };
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    if (found.kind === 'whole') await found.store.close();
    return {
      kind: 'unreadable',
      detail: `The copy of the configuration in ${folder} cannot be opened: ${error.message}`,
    };
  }
}

/** Reads the whole store and holds it to its checksum; into records only where it is not the copy's, whose records were read. */
async function findStore(
  opened: Awaited<ReturnType<typeof openSqliteStore>>,
  copy: CopyFacts,
): Promise<Found> {
  const trouble = (found: {
    readonly trouble?: Extract<StoreFacts, { kind: 'trouble' }>['trouble'];
    readonly fact?: string;
    readonly detail: string;
  }): Found => ({
    kind: 'trouble',
    facts: {
      kind: 'trouble',
      trouble: found.trouble ?? 'damaged',
      detail: found.fact ?? found.detail,
    },
    detail: found.detail,
  });
  if (opened.kind === 'unreadable') return trouble(opened);
  const holds = copy.kind === 'whole' ? await opened.store.holds() : undefined;
  if (holds && copy.kind === 'whole' && isSame(holds, copy)) {
    const { version, checksum } = holds;
    return { kind: 'whole', store: opened.store, version, sum: checksum, checksum };
  }
  const loaded = await opened.store.load();
  if (loaded.kind === 'unreadable') {
    await opened.store.close();
    return trouble(loaded);
  }
  const { store } = opened;
  const { contents } = loaded;
  const { version } = contents;
  const sum = loaded.canonicalSum ?? Holdings.of(contents).sum;
  return { kind: 'whole', store, version, contents, sum, checksum: loaded.checksum ?? sum };
}

/** What the store's own rows sum up to is what the copy's records do: then they are the same, as this version writes them. */
function isSame(store: Holds, copy: { readonly version: number; readonly sum: string }): boolean {
  return store.version === copy.version && store.checksum === copy.sum;
}

function storeFacts(found: Found): StoreFacts {
  if (found.kind === 'trouble') return found.facts;
  const { version, sum, store } = found;
  return { kind: 'whole', version, sum, sumAt: (at) => store.sumAt(at) };
}

function copyFacts(copy: Recovered): CopyFacts {
  if (copy.kind === 'absent' || copy.kind === 'unreadable') return copy;
  const { version, sum } = copy.found.holdings;
  if (copy.kind === 'damaged')
    return { kind: 'damaged', version, sum, head: copy.head, detail: copy.detail };
  const { unconfirmed } = copy.found;
  return {
    kind: 'whole',
    version,
    sum,
    ...(unconfirmed ? { unconfirmed: { version: version - 1, sum: unconfirmed.sumBefore } } : {}),
  };
}

function damageOf(copy: Recovered): string | undefined {
  return copy.kind === 'damaged' || copy.kind === 'unreadable' ? copy.detail : undefined;
}

async function openJournal(
  deps: JournalDeps,
  copy: Recovered,
  found: Found,
  verdict: Verdict,
): Promise<Journal> {
  if (verdict.kind === 'take_store' && found.kind === 'whole' && found.contents)
    return await Journal.begin(deps, Holdings.of(found.contents));
  if (copy.kind === 'whole')
    return await Journal.resume(
      deps,
      verdict.kind === 'undo' ? withoutUnconfirmed(copy.found) : copy.found,
    );
  if (copy.kind !== 'damaged') throw new FsError('ENOENT', 'open', deps.directory);
  const { holdings } = copy.found;
  // A version is one content for ever: what is lost keeps its numbers.
  if (copy.head && copy.head.version > holdings.version) holdings.version = copy.head.version + 1;
  return await Journal.begin(deps, holdings);
}

/** The store to work with, or why there is none. Records of older formats are written anew first. */
async function mainOf(
  verdict: Verdict,
  found: Found,
): Promise<MainStore | { readonly trouble: Trouble; readonly detail: string }> {
  if (verdict.kind === 'take_copy') {
    if (found.kind === 'whole') await found.store.close();
    return { trouble: verdict.trouble, detail: verdict.detail };
  }
  if (found.kind === 'trouble') return { trouble: found.facts.trouble, detail: found.facts.detail };
  if (found.checksum !== found.sum) found.store.normalise();
  return found.store;
}
