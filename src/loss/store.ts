/**
 * What is owed to destinations, on disk. A loss is written here, synced, before the books say that they have summed its
 * waybill, and leaves when the destination has its marker: a crash in between sends it again, under the same name.
 */
import { DatabaseSync } from 'node:sqlite';
import type { Waybill } from '../model/delivery.ts';
import { TOLD_REASONS } from './contract.ts';
import type { LossLimits, LossNotice, SealedNotice, ToldReason } from './contract.ts';
import { addRange } from './ranges.ts';

export interface LossStore {
  /**
   * Takes waybills that drop lines, all or none. One that was taken before is passed over.
   *
   * @returns jobs to which something is owed for them, and how many losses found no room
   * @throws what SQLite throws
   */
  take(waybills: readonly Waybill[]): {
    readonly jobs: ReadonlySet<number>;
    readonly noRoom: number;
  };
  /** The job's next notice: one that was begun before all others. @throws what SQLite throws */
  next(job: number, nowMs: number): SealedNotice | undefined;
  /** It was told, or will not be. @throws what SQLite throws */
  remove(id: string): void;
  /** Jobs to which something is owed. */
  jobs(): readonly number[];
  owes(job: number): boolean;
  close(): void;
}

const TABLES = `
  PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS horizon (one INTEGER PRIMARY KEY CHECK (one = 1), at_ms REAL NOT NULL);
  CREATE TABLE IF NOT EXISTS heard (job INTEGER NOT NULL, epoch TEXT NOT NULL, first INTEGER NOT NULL, at_ms REAL NOT NULL,
    PRIMARY KEY (job, epoch, first)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS heard_at ON heard (at_ms);
  CREATE TABLE IF NOT EXISTS owed (id TEXT PRIMARY KEY, job INTEGER NOT NULL, stream TEXT NOT NULL, epoch TEXT NOT NULL,
    reason TEXT NOT NULL, hour_from INTEGER NOT NULL, hour_to INTEGER NOT NULL, lines INTEGER NOT NULL,
    offsets TEXT NOT NULL, told_ms REAL);
  CREATE INDEX IF NOT EXISTS owed_job ON owed (job);
`;

/**
 * Opens the file, making it when there is none.
 *
 * @throws what SQLite throws when what is there cannot be read, or the disk is full or does not answer
 */
export function openLossStore(
  path: string,
  nowMs: number,
  limits: Pick<LossLimits, 'owed' | 'owedPerJob' | 'ranges' | 'heard' | 'reachBackMs'>,
): LossStore {
  const database = new DatabaseSync(path);
  try {
    database.exec(TABLES);
    // Beside sums that are made anew a store that is new would tell what was told months ago.
    if (database.prepare('SELECT at_ms FROM horizon').get() === undefined) {
      database
        .prepare('INSERT INTO horizon (one, at_ms) VALUES (1, ?)')
        .run(nowMs - limits.reachBackMs);
    }
    const store = new SqliteLossStore(database, limits);
    // What is damaged shows now, and not when there is something to tell.
    store.jobs();
    database.prepare('SELECT sum(length(id) + length(offsets)) FROM owed').get();
    database.prepare('SELECT count(*) FROM heard NOT INDEXED').get();
    return store;
  } catch (error) {
    database.close();
    throw error;
  }
}

interface Row {
  readonly id: string;
  readonly job: number;
  readonly stream: string;
  readonly epoch: string;
  readonly reason: ToldReason;
  readonly hour_from: number;
  readonly hour_to: number;
  readonly lines: number;
  readonly offsets: string;
  readonly told_ms: number | null;
}

class SqliteLossStore implements LossStore {
  readonly #database: DatabaseSync;
  readonly #limits: Pick<LossLimits, 'owed' | 'owedPerJob' | 'ranges' | 'heard'>;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(
    database: DatabaseSync,
    limits: Pick<LossLimits, 'owed' | 'owedPerJob' | 'ranges' | 'heard'>,
  ) {
    this.#database = database;
    this.#limits = limits;
    this.#sql = prepare(database);
  }

  take(waybills: readonly Waybill[]) {
    const jobs = new Set<number>();
    let noRoom = 0;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const horizonMs = Number(this.#sql.horizon.get()?.['at_ms']);
      let room = this.#limits.owed - Number(this.#sql.count.get()?.['owed']);
      for (const waybill of waybills) {
        const { job, epoch, range, atMs } = waybill;
        if (atMs <= horizonMs) continue;
        if (this.#sql.hear.run(job, epoch, range.from, atMs).changes === 0) continue;
        for (const reason of TOLD_REASONS) {
          const lines = waybill.counts.dropped[reason] ?? 0;
          if (lines === 0) continue;
          const owed = this.#owe(waybill, reason, lines, room > 0);
          if (owed === 'added') room -= 1;
          if (owed === 'no room') noRoom += 1;
          else jobs.add(job);
        }
      }
      this.#forget();
      this.#database.exec('COMMIT');
    } catch (error) {
      // A full disk has rolled it back already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    return { jobs, noRoom };
  }

  #owe(
    { job, stream, epoch, range, hour }: Waybill,
    reason: ToldReason,
    lines: number,
    mayAdd: boolean,
  ): 'added' | 'merged' | 'no room' {
    const isFull =
      !mayAdd || Number(this.#sql.countOf.get(job)?.['owed']) >= this.#limits.owedPerJob;
    const open = (this.#sql.openOfHour.get(job, epoch, reason, hour) ??
      (isFull ? this.#sql.open.get(job, epoch, reason) : undefined)) as Row | undefined;
    if (open) {
      const notice = noticeOf(open);
      this.#sql.grow.run(
        Math.min(notice.hours.from, hour),
        Math.max(notice.hours.to, hour + 1),
        notice.lines + lines,
        JSON.stringify(addRange(notice.offsets, range, this.#limits.ranges)),
        open.id,
      );
      return 'merged';
    }
    if (!mayAdd) return 'no room';
    // One more than the job's bound: for each reason there is at most one such.
    const id = `loss-${job}-${epoch}-${range.from}-${reason}`;
    const offsets = JSON.stringify([range]);
    this.#sql.add.run(id, job, stream, epoch, reason, hour, hour + 1, lines, offsets);
    return 'added';
  }

  /** What was heard longest ago is forgotten, and the time up to which: from before it nothing is told again. */
  #forget(): void {
    const over = Number(this.#sql.countHeard.get()?.['heard']) - this.#limits.heard;
    if (over <= 0) return;
    const upToMs = Number(this.#sql.heardAt.get(over - 1)?.['at_ms']);
    this.#sql.forget.run(upToMs);
    this.#sql.setHorizon.run(upToMs);
  }

  next(job: number, nowMs: number): SealedNotice | undefined {
    const row = this.#sql.next.get(job) as Row | undefined;
    if (!row) return undefined;
    const toldMs = row.told_ms ?? Math.floor(nowMs);
    if (row.told_ms === null) this.#sql.seal.run(toldMs, row.id);
    return { ...noticeOf(row), toldMs };
  }

  remove(id: string): void {
    this.#sql.remove.run(id);
  }

  jobs(): readonly number[] {
    return this.#sql.jobs.all().map((row) => Number(row['job']));
  }

  owes(job: number): boolean {
    return Number(this.#sql.countOf.get(job)?.['owed']) > 0;
  }

  close(): void {
    this.#database.close();
  }
}

function noticeOf(row: Row): LossNotice {
  return {
    id: row.id,
    job: row.job,
    stream: row.stream,
    epoch: row.epoch,
    reason: row.reason,
    lines: row.lines,
    hours: { from: row.hour_from, to: row.hour_to },
    offsets: JSON.parse(row.offsets) as LossNotice['offsets'],
  };
}

function prepare(database: DatabaseSync) {
  const sql = (text: string) => database.prepare(text);
  const ofReason =
    'SELECT * FROM owed WHERE job = ?1 AND epoch = ?2 AND reason = ?3 AND told_ms IS NULL';
  return {
    horizon: sql('SELECT at_ms FROM horizon'),
    setHorizon: sql('UPDATE horizon SET at_ms = max(at_ms, ?)'),
    hear: sql('INSERT OR IGNORE INTO heard (job, epoch, first, at_ms) VALUES (?, ?, ?, ?)'),
    countHeard: sql('SELECT count(*) AS heard FROM heard'),
    heardAt: sql('SELECT at_ms FROM heard ORDER BY at_ms LIMIT 1 OFFSET ?'),
    forget: sql('DELETE FROM heard WHERE at_ms <= ?'),
    count: sql('SELECT count(*) AS owed FROM owed'),
    countOf: sql('SELECT count(*) AS owed FROM owed WHERE job = ?'),
    openOfHour: sql(`${ofReason} AND ?4 >= hour_from AND ?4 < hour_to LIMIT 1`),
    open: sql(`${ofReason} LIMIT 1`),
    add: sql(`INSERT INTO owed (id, job, stream, epoch, reason, hour_from, hour_to, lines, offsets)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    grow: sql('UPDATE owed SET hour_from = ?, hour_to = ?, lines = ?, offsets = ? WHERE id = ?'),
    next: sql(
      'SELECT * FROM owed WHERE job = ? ORDER BY told_ms IS NULL, hour_from, rowid LIMIT 1',
    ),
    seal: sql('UPDATE owed SET told_ms = ? WHERE id = ?'),
    remove: sql('DELETE FROM owed WHERE id = ?'),
    jobs: sql('SELECT DISTINCT job FROM owed ORDER BY job'),
  };
}
