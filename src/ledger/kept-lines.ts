import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { openDatabase } from '../lib/sqlite/open.ts';
import { parseStreamKey, scopePath } from '../model/scope.ts';
import type { Scope } from '../model/scope.ts';

/** Why a line is kept apart: it never was accepted (`quarantined`), or was settled without delivery (the others). */
export type KeptReason = 'quarantined' | 'malformed' | 'rejected_by_destination';

export interface KeptLineEntry {
  readonly account: string;
  readonly stream: string;
  readonly reason: KeptReason;
  /** The job that could not deliver it; null for quarantined lines. */
  readonly job: number | null;
  /** Its offset in the stream; null for quarantined lines. */
  readonly offset: number | null;
  /** In plain words: what is wrong with it, or what the receiver answered. */
  readonly detail: string;
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

export interface KeptLine extends KeptLineEntry {
  readonly id: number;
}

/** Whose lines an erasure means. */
export interface KeptLinesReach {
  readonly scopes: readonly Scope[];
  /** For an account: its id, by which lines of zones that are not there any more are found; else null. */
  readonly account: string | null;
  /** Zones that are there. */
  readonly standing: readonly string[];
  /** Null: all. */
  readonly dataset: string | null;
  /** Lines that were never accepted are meant when they came before it. */
  readonly beforeMs: number;
  /** Accepted lines are meant up to these offsets. */
  readonly ends: readonly { readonly stream: string; readonly to: number }[];
}

/** Lines kept apart so that their owner can list, fetch and resubmit them. Bounded per account, durable when `keep` returns. */
export interface KeptLines {
  /** Keeps all of the entries or, when one account's bounds would be passed, none (`"full"`). */
  keep(entries: readonly KeptLineEntry[]): 'kept' | 'full';
  /** Keeps them, giving up the account's oldest ones for it; returns how many were given up. */
  keepNewest(entries: readonly KeptLineEntry[]): number;
  /** Lines of the scopes' streams with an id above `afterId`, oldest first. */
  list(scopes: readonly Scope[], most: number, afterId: number): readonly KeptLine[];
  get(id: number): KeptLine | undefined;
  remove(ids: readonly number[]): void;
  /** How many lines an erasure would take. */
  count(reach: KeptLinesReach): number;
  /** Takes them out of the file, bytes and all. Returns how many there were. */
  erase(reach: KeptLinesReach): number;
  close(): void;
}

interface Row extends KeptLine {
  /** Null in rows of a version that had none. */
  readonly crc: number | null;
}

/**
 * Each line has a CRC-32: one that decayed is never handed out as its owner's (I10).
 *
 * @param bounds per account
 * @param damaged told of each line that is left out for it, once, and of indexes that were made anew
 */
export function openKeptLines(
  path: string,
  bounds: { readonly lines: number; readonly bytes: number },
  damaged: (what: string) => void = () => {},
): KeptLines {
  const database = openDatabase(
    path,
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
    CREATE TABLE IF NOT EXISTS lines (id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, stream TEXT NOT NULL,
      reason TEXT NOT NULL, job INTEGER, offset INTEGER, detail TEXT NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS by_account ON lines (account, id);
    CREATE INDEX IF NOT EXISTS by_stream ON lines (stream, id);
    CREATE UNIQUE INDEX IF NOT EXISTS once ON lines (job, offset) WHERE job IS NOT NULL;`,
  );
  const columns = database.prepare('PRAGMA table_info(lines)').all();
  if (!columns.some((column) => column['name'] === 'crc'))
    database.exec('ALTER TABLE lines ADD COLUMN crc INTEGER');
  mendIndexes(database, damaged);
  const told = new Set<number>();
  const whole = ({ crc, ...line }: Row): readonly KeptLine[] => {
    if (crc === null || crc === crcOf(line)) return [line];
    if (!told.has(line.id)) damaged(`line ${line.id} has another CRC-32`);
    told.add(line.id);
    return [];
  };
  const held = database.prepare(
    'SELECT count(*) AS lines, coalesce(sum(length(bytes)), 0) AS bytes FROM lines WHERE account = ?',
  );
  // A range that is settled after a crash keeps its lines a second time: (job, offset) makes that harmless.
  const insert = database.prepare(
    'INSERT OR IGNORE INTO lines (account, stream, reason, job, offset, detail, at, bytes, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const dropOldest = database.prepare(
    'DELETE FROM lines WHERE id = (SELECT min(id) FROM lines WHERE account = ?) RETURNING length(bytes) AS bytes',
  );
  const select =
    'SELECT id, account, stream, reason, job, offset, detail, at AS atMs, bytes, crc FROM lines';

  /** Counted once for each account and call: it looks at all of the account's lines. */
  const heldBy = (account: string) => held.get(account) as { lines: number; bytes: number };
  const fits = (account: string, lines: number, bytes: number): boolean => {
    const now = heldBy(account);
    return now.lines + lines <= bounds.lines && now.bytes + bytes <= bounds.bytes;
  };
  const put = (entry: KeptLineEntry) =>
    insert.run(
      entry.account,
      entry.stream,
      entry.reason,
      entry.job,
      entry.offset,
      entry.detail,
      entry.atMs,
      entry.bytes,
      crcOf(entry),
    );
  const inTransaction = <T>(work: () => T): T => {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk has rolled it back already.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };

  return {
    keep: (entries) =>
      inTransaction(() => {
        const sums = new Map<string, { lines: number; bytes: number }>();
        for (const { account, bytes } of entries) {
          const sum = sums.get(account) ?? { lines: 0, bytes: 0 };
          sums.set(account, { lines: sum.lines + 1, bytes: sum.bytes + bytes.length });
        }
        for (const [account, sum] of sums) if (!fits(account, sum.lines, sum.bytes)) return 'full';
        entries.forEach(put);
        return 'kept';
      }),
    keepNewest: (entries) =>
      inTransaction(() => {
        let given = 0;
        const sums = new Map<string, { lines: number; bytes: number }>();
        for (const entry of entries) {
          const { account, bytes } = entry;
          const sum = sums.get(account) ?? heldBy(account);
          sums.set(account, sum);
          while (sum.lines + 1 > bounds.lines || sum.bytes + bytes.length > bounds.bytes) {
            const dropped = dropOldest.get(account) as { bytes: number } | undefined;
            if (!dropped) break;
            sum.lines -= 1;
            sum.bytes -= dropped.bytes;
            given += 1;
          }
          if (put(entry).changes === 0) continue;
          sum.lines += 1;
          sum.bytes += bytes.length;
        }
        return given;
      }),
    list: (scopes, most, afterId) => {
      const rows = database
        .prepare(
          `${select} WHERE id > ? AND EXISTS (SELECT 1 FROM json_each(?) WHERE stream >= value || '/' AND stream < value || '0')
           ORDER BY id LIMIT ?`,
        )
        .all(afterId, JSON.stringify(scopes.map(scopePath)), most) as unknown as Row[];
      return rows.flatMap(whole);
    },
    get: (id) => {
      const row = database.prepare(`${select} WHERE id = ?`).get(id) as unknown as Row | undefined;
      return row && whole(row)[0];
    },
    remove: (ids) => {
      database
        .prepare('DELETE FROM lines WHERE id IN (SELECT value FROM json_each(?))')
        .run(JSON.stringify(ids));
    },
    count: (reach) => meantBy(database, reach).length,
    erase: (reach) => {
      const ids = meantBy(database, reach);
      const drop = database.prepare(
        'DELETE FROM lines WHERE id IN (SELECT value FROM json_each(?))',
      );
      inTransaction(() => drop.run(JSON.stringify(ids)));
      // Pages as they were before still stand in the log of writes, also those of an erasure that was cut off.
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return ids.length;
    },
    close: () => database.close(),
  };
}

/** Bytes of a file up to which all of it is looked at when it is opened: a tenth of a second. */
const LOOKED_AT_BYTES = 64 << 20;

/** An index that decayed hides lines from their owner. */
function mendIndexes(database: DatabaseSync, damaged: (what: string) => void): void {
  const number = (pragma: string): number =>
    Number(database.prepare(`PRAGMA ${pragma}`).get()?.[pragma]);
  if (number('page_count') * number('page_size') > LOOKED_AT_BYTES) return;
  const found = database.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'];
  if (found === 'ok') return;
  damaged(String(found));
  try {
    database.exec('REINDEX');
  } catch {
    // Two lines say that they are the same: each is judged by its CRC-32 when it is read.
  }
}

function crcOf({
  account,
  stream,
  reason,
  job,
  offset,
  detail,
  atMs,
  bytes,
}: KeptLineEntry): number {
  return crc32(JSON.stringify([account, stream, reason, job, offset, detail, atMs]), crc32(bytes));
}

function meantBy(database: DatabaseSync, reach: KeptLinesReach): readonly number[] {
  const ends = new Map(reach.ends.map(({ stream, to }) => [stream, to]));
  const found = database
    .prepare(
      `SELECT id, account, stream, offset, at AS atMs FROM lines WHERE account = ? OR
       EXISTS (SELECT 1 FROM json_each(?) WHERE stream >= value || '/' AND stream < value || '0')`,
    )
    .all(reach.account, JSON.stringify(reach.scopes.map(scopePath))) as unknown as readonly Pick<
    KeptLine,
    'id' | 'account' | 'stream' | 'offset' | 'atMs'
  >[];
  return found
    .filter(({ offset, stream, atMs }) => {
      const parsed = parseStreamKey(stream);
      if (!parsed || (reach.dataset !== null && parsed.dataset !== reach.dataset)) return false;
      const isListed = reach.scopes.some((scope) => scopePath(scope) === scopePath(parsed.scope));
      const isGone = parsed.scope.kind === 'zone' && !reach.standing.includes(parsed.scope.id);
      if (!isListed && !isGone) return false;
      const end = ends.get(stream);
      return offset === null || end === undefined ? atMs < reach.beforeMs : offset < end;
    })
    .map(({ id }) => id);
}
