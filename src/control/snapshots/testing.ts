/** Changes and journals for tests. */
import { manualClock } from '../../lib/clock-manual.ts';
import { silent } from '../../lib/diagnostics.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import type { AccountRecord } from '../store/records.ts';
import type { Change } from '../store/store.ts';
import type { JournalBounds, JournalDeps } from './journal.ts';

export const FOLDER = '/data/snapshots';

const SMALL: JournalBounds = {
  keepMs: 90 * 86_400_000,
  folderBytes: 1 << 20,
  changeBytesLeast: 1_000,
};

export function depsOn(files: FileSystem, bounds: Partial<JournalBounds> = {}): JournalDeps {
  return {
    files,
    directory: FOLDER,
    clock: manualClock(),
    diagnostics: silent,
    bounds: { ...SMALL, ...bounds },
  };
}

export function account(id: string, name = id): AccountRecord {
  return { id, name, ambientCredentials: false, createdMs: 0, limits: {}, cmb: null };
}

/** A change that sets one account and seals one secret. */
export function change(base: number, id: string, name: string, more: Partial<Change> = {}): Change {
  return {
    base,
    atMs: 1_000 + base,
    who: 'tester',
    address: null,
    what: 'account.change',
    voice: 'operator',
    reason: null,
    edits: [{ kind: 'account', id, before: null, after: account(id, name) }],
    concerns: [[`accounts/${id}`]],
    seal: [
      {
        id: `s-${id}`,
        version: base + 1,
        keyId: 'k',
        sealed: Buffer.from(`sealed ${name}`).toString('base64'),
      },
    ],
    dropSecrets: [],
    ...more,
  };
}
