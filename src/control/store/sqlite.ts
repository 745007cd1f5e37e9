/**
 * The control store on Node's own SQLite: every commit synced, checked as a whole when it is opened.
 *
 * Not in WAL mode: SQLite passes over a decayed frame of a WAL and all behind it, and what comes out is an older
 * configuration that looks whole. With a rollback journal what was committed lies in the file that is checked.
 *
 * A store that cannot be trusted is refused with its path and what to do; it is never made anew in place of a damaged one
 * (I4, I10). A new one is made under another name and renamed when it is complete, so that an empty file is always damage.
 */
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { addHash, checksumText, objectHash, removeHash, secretHash } from './checksum.ts';
import { changeEntry } from './change-log.ts';
import type { ChangeRow } from './change-log.ts';
import { recordChange } from './change-rows.ts';
import { contentSum } from './content-sum.ts';
import { nextJobAfter, noRecords } from './contents.ts';
import type { RecordsByKind } from './contents.ts';
import { RECORDS } from './records.ts';
import type { Kind, RecordOf } from './records.ts';
import type {
  Change,
  ChangeEntry,
  ChangeQuery,
  CommitResult,
  Edit,
  ExpectedSums,
  Holds,
  LoadResult,
  MainStore,
  OpenStoreResult,
  SealedSecret,
  StoreTrouble,
} from './store.ts';
import { messageOf, sealedBytes, secretOf, troubleOf } from './rows.ts';
import type { SecretRow } from './rows.ts';
import { FORMAT_VERSION, migrate } from './schema.ts';

export interface SqliteStoreOptions {
  readonly path: string;
  readonly files: FileSystem;
  /** Earlier runs left data behind: then a missing store is a loss, and never a first start. */
  readonly mustExist: boolean;
  /** Entries kept of the change log. */
  readonly changesKept: number;
}

const ADVICE =
  'Nothing was changed. Restore the file (with its -journal beside it, if there is one) from a backup, or move it away to begin with an empty configuration.';

/** Opens the store, making it at the first start. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<OpenStoreResult> {
  const { path, files } = options;
  const unreadable = (trouble: StoreTrouble, what: string): OpenStoreResult => ({
    kind: 'unreadable',
    trouble,
    fact: `The control store ${path} ${what}.`,
    detail: `The control store ${path} ${what}. ${ADVICE}`,
  });
  try {
    const found = await files.stat(path);
    if (found?.bytes === 0) return unreadable('empty', 'is empty (0 bytes)');
    if (!found && options.mustExist)
      return unreadable('missing', 'is missing although there is data of earlier runs');
    if (!found) await makeStore(path, files);
  } catch (error) {
    return unreadable('unusable', `could not be made: ${messageOf(error)}`);
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    const { user_version: format } = database.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    if (format > FORMAT_VERSION) {
      database.close();
      return unreadable(
        'newer',
        `has format ${format}, and this version reads up to ${FORMAT_VERSION}: it was written by a newer one`,
      );
    }
    configure(database);
    const check = database.prepare('PRAGMA integrity_check(1)').get() as {
      integrity_check: string;
    };
    if (check.integrity_check !== 'ok') {
      database.close();
      return unreadable('damaged', `is damaged: ${check.integrity_check}`);
    }
    migrate(database, format);
    return { kind: 'open', store: new SqliteStore(database, options) };
  } catch (error) {
    database?.close();
    return unreadable(troubleOf(error), `cannot be read: ${messageOf(error)}`);
  }
}

/**
 * Makes a complete store beside `path` and renames it.
 *
 * @param fill puts in what it is to hold; it is empty otherwise
 * @param before makes room at `path`, once the new one is complete
 */
export async function makeStore(
  path: string,
  files: FileSystem,
  fill: (database: DatabaseSync) => void | Promise<void> = () => {},
  before: () => void | Promise<void> = () => {},
): Promise<void> {
  const draft = `${path}.new`;
  for (const leftover of [draft, `${draft}-wal`, `${draft}-shm`, `${draft}-journal`]) {
    if (await files.stat(leftover)) await files.unlink(leftover);
  }
  const created = await files.open(draft, 'create');
  await created.close();
  const database = new DatabaseSync(draft);
  try {
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL');
    migrate(database, 0);
    await fill(database);
  } finally {
    database.close();
  }
  await before();
  await files.rename(draft, path);
  const slash = path.lastIndexOf('/');
  await files.syncDirectory(slash <= 0 ? (slash === 0 ? '/' : '.') : path.slice(0, slash));
}

/** EXTRA syncs the folder as well when a commit removes its journal: the power may go just then. */
function configure(database: DatabaseSync): void {
  database.exec(
    'PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON; PRAGMA busy_timeout = 2000',
  );
}

/** Rows of a change that are written without letting others in: some milliseconds. */
const ROWS_A_TURN = 100;

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

class SqliteStore implements MainStore {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #changesKept: number;
  /** By their text: a document's change runs a few of them ten thousand times. */
  readonly #statements = new Map<string, StatementSync>();
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(database: DatabaseSync, options: SqliteStoreOptions) {
    this.#database = database;
    this.#path = options.path;
    this.#changesKept = options.changesKept;
  }

  load(): Promise<LoadResult> {
    return this.#serial(() => this.#load());
  }

  #load(): LoadResult {
    const unreadable = (what: string, trouble: StoreTrouble = 'damaged'): LoadResult => ({
      kind: 'unreadable',
      trouble,
      fact: `The control store ${this.#path} ${what}.`,
      detail: `The control store ${this.#path} ${what}. ${ADVICE}`,
    });
    try {
      this.#database.exec('BEGIN');
      const records = noRecords();
      let sum = 0n;
      let canonicalSum = 0n;
      for (const row of this.#database
        .prepare('SELECT kind, id, body FROM objects ORDER BY kind, id')
        .iterate()) {
        const { kind, id, body } = row as { kind: string; id: string; body: string };
        const key = `${kind}/${id}`;
        const hash = objectHash(key, body);
        const record = addRecord(records, kind, body);
        if (record === undefined) return unreadable(`holds a ${kind} "${id}" that cannot be read`);
        const written = JSON.stringify(record);
        sum = addHash(sum, hash);
        canonicalSum = addHash(canonicalSum, written === body ? hash : objectHash(key, written));
      }
      const secrets: SealedSecret[] = [];
      for (const row of this.#database
        .prepare('SELECT id, version, key_id, sealed FROM secrets')
        .iterate()) {
        const secret = secretOf(row as unknown as SecretRow);
        const hash = secretHash(secret);
        sum = addHash(sum, hash);
        canonicalSum = addHash(canonicalSum, hash);
        secrets.push(secret);
      }
      const meta = this.#meta();
      if (meta.checksum !== checksumText(sum)) {
        return unreadable('is damaged: its content does not have the checksum of its last change');
      }
      records.job.sort((a, b) => a.id - b.id);
      records.replay.sort((a, b) => a.id - b.id);
      return {
        kind: 'loaded',
        contents: { version: meta.version, nextJob: meta.nextJob, records, secrets },
        checksum: meta.checksum,
        canonicalSum: checksumText(canonicalSum),
      };
    } catch (error) {
      return unreadable(`cannot be read: ${messageOf(error)}`, troubleOf(error));
    } finally {
      this.#endTransaction('COMMIT');
    }
  }

  holds(): Promise<Holds | undefined> {
    return this.#serial(async () => {
      try {
        this.#database.exec('BEGIN');
        const { version, checksum } = this.#meta();
        const sum = await contentSum(this.#database, nextTurn);
        return sum === checksum ? { version, checksum } : undefined;
      } catch {
        // Loading it says what is the matter.
        return undefined;
      } finally {
        this.#endTransaction('COMMIT');
      }
    });
  }

  commit(change: Change, expected?: ExpectedSums): Promise<CommitResult> {
    return this.#serial(() => this.#commit(change, expected));
  }

  /** In one transaction, and in turns: others read the configuration from memory meanwhile, and see none of it here. */
  async #commit(change: Change, expected?: ExpectedSums): Promise<CommitResult> {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      const meta = this.#meta();
      if (meta.version !== change.base || (expected && meta.checksum !== expected.before)) {
        this.#endTransaction('ROLLBACK');
        return { kind: 'stale' };
      }
      let sum = BigInt(`0x${meta.checksum}`);
      let rows = 0;
      const rest = async () => {
        if (++rows % ROWS_A_TURN === 0) await nextTurn();
      };
      for (const edit of change.edits) {
        sum = this.#edit(edit, sum);
        await rest();
      }
      for (const id of change.dropSecrets) sum = this.#dropSecret(id, sum);
      for (const secret of change.seal) {
        sum = this.#seal(secret, sum);
        await rest();
      }
      const version = meta.version + 1;
      const nextJob = nextJobAfter(meta.nextJob, change.edits);
      this.#database
        .prepare('UPDATE meta SET version = ?, next_job = ?, checksum = ?')
        .run(version, nextJob, checksumText(sum));
      if (expected && expected.after !== checksumText(sum)) {
        this.#endTransaction('ROLLBACK');
        return { kind: 'stale' };
      }
      recordChange(this.#database, change, version, checksumText(sum), this.#changesKept);
      this.#database.exec('COMMIT');
      return { kind: 'committed', version };
    } catch (error) {
      this.#endTransaction('ROLLBACK');
      return { kind: 'failed', detail: messageOf(error) };
    }
  }

  #edit(edit: Edit, sum: bigint): bigint {
    const key = `${edit.kind}/${edit.id}`;
    const stored = this.#prepared('SELECT body FROM objects WHERE kind = ? AND id = ?').get(
      edit.kind,
      edit.id,
    ) as { body: string } | undefined;
    const without = stored ? removeHash(sum, objectHash(key, stored.body)) : sum;
    if (edit.after === null) {
      this.#prepared('DELETE FROM objects WHERE kind = ? AND id = ?').run(edit.kind, edit.id);
      return without;
    }
    const body = JSON.stringify(edit.after);
    this.#prepared(
      'INSERT INTO objects (kind, id, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body',
    ).run(edit.kind, edit.id, body);
    return addHash(without, objectHash(key, body));
  }

  #dropSecret(id: string, sum: bigint): bigint {
    const row = this.#prepared('SELECT id, version, key_id, sealed FROM secrets WHERE id = ?').get(
      id,
    );
    if (!row) return sum;
    this.#prepared('DELETE FROM secrets WHERE id = ?').run(id);
    return removeHash(sum, secretHash(secretOf(row as unknown as SecretRow)));
  }

  #seal(secret: SealedSecret, sum: bigint): bigint {
    const without = this.#dropSecret(secret.id, sum);
    this.#prepared('INSERT INTO secrets (id, version, key_id, sealed) VALUES (?, ?, ?, ?)').run(
      secret.id,
      secret.version,
      secret.keyId,
      sealedBytes(secret),
    );
    return addHash(without, secretHash(secret));
  }

  changes(query: ChangeQuery): Promise<readonly ChangeEntry[]> {
    const { scope, limit } = query;
    const before = query.before ?? Number.MAX_SAFE_INTEGER;
    const after = query.after ?? -1;
    const columns = 'version, at_ms, who, address, what, voice, reason, edits';
    // Told by the text: a change that added a hundred thousand jobs takes a second and its size several times over to parse.
    const which = query.withBefore === true ? `AND instr(edits, '"before":{') > 0` : '';
    const rows =
      scope === undefined
        ? this.#database
            .prepare(
              `SELECT ${columns} FROM changes WHERE version < ? AND version > ? ${which} ORDER BY version DESC LIMIT ?`,
            )
            .all(before, after, limit)
        : this.#database
            .prepare(
              `SELECT ${columns} FROM change_scopes JOIN changes USING (version)
               WHERE scope = ? AND version < ? AND version > ? ${which} ORDER BY version DESC LIMIT ?`,
            )
            .all(scope, before, after, limit);
    const entries = (rows as unknown as readonly ChangeRow[]).map(changeEntry);
    if (scope === undefined) return Promise.resolve(entries);
    return Promise.resolve(
      entries.map((entry) => ({
        ...entry,
        edits: entry.edits.filter(({ concerns }) => concerns.includes(scope)),
      })),
    );
  }

  sumAt(version: number): string | undefined {
    const row = this.#database
      .prepare('SELECT checksum FROM changes WHERE version = ?')
      .get(version);
    return (row as { checksum: string } | undefined)?.checksum;
  }

  normalise(): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      let sum = BigInt(`0x${this.#meta().checksum}`);
      const update = this.#database.prepare(
        'UPDATE objects SET body = ? WHERE kind = ? AND id = ?',
      );
      for (const row of this.#database.prepare('SELECT kind, id, body FROM objects').all()) {
        const { kind, id, body } = row as { kind: Kind; id: string; body: string };
        const now = JSON.stringify(RECORDS[kind].parse(parseBody(body)));
        if (now === body) continue;
        const key = `${kind}/${id}`;
        sum = addHash(removeHash(sum, objectHash(key, body)), objectHash(key, now));
        update.run(now, kind, id);
      }
      this.#database.prepare('UPDATE meta SET checksum = ?').run(checksumText(sum));
      this.#database.exec('COMMIT');
    } finally {
      this.#endTransaction('ROLLBACK');
    }
  }

  close(): Promise<void> {
    return this.#serial(() => {
      if (!this.#closed) this.#database.close();
      this.#closed = true;
    });
  }

  /** One after the other: a transaction that has been begun is the whole connection's. */
  #serial<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    // What it resolves with (the whole configuration, after loading) is not kept for it.
    this.#turn = turn.then(
      () => {},
      () => {},
    );
    return turn;
  }

  #meta(): { version: number; nextJob: number; checksum: string } {
    const row = this.#database.prepare('SELECT version, next_job, checksum FROM meta').get() as {
      version: number;
      next_job: number;
      checksum: string;
    };
    return { version: row.version, nextJob: row.next_job, checksum: row.checksum };
  }

  #prepared(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) this.#statements.set(text, (statement = this.#database.prepare(text)));
    return statement;
  }

  #endTransaction(how: 'COMMIT' | 'ROLLBACK'): void {
    if (this.#database.isTransaction) this.#database.exec(how);
  }
}

/** @returns the record that was added; undefined when it cannot be read */
function addRecord(records: RecordsByKind, kind: string, body: string): RecordOf<Kind> | undefined {
  if (!Object.hasOwn(RECORDS, kind)) return undefined;
  const parsed = RECORDS[kind as Kind].safeParse(parseBody(body));
  if (!parsed.success) return undefined;
  (records[kind as Kind] as RecordOf<Kind>[]).push(parsed.data);
  return parsed.data;
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
