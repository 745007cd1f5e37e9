import type { DatabaseSync } from 'node:sqlite';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import {
  DROP_REASONS,
  EXCLUDE_REASONS,
  NO_LINES,
  addCounts,
  settledLines,
} from '../model/delivery.ts';
import { scopePath } from '../model/scope.ts';
import type { LedgerEvent } from '../buffer/index.ts';
import type { Waybill } from '../model/delivery.ts';
import type { ArchiveMark, JobCut, JobLedger, ScopeLedger, ShardMark } from './contract.ts';
import type { Scope } from '../model/scope.ts';
import { readArchive } from './archive-reader.ts';
import { isDamaged, openTables } from './books-schema.ts';
import { jobLedger, settledByHour } from './rows.ts';

export interface BooksOptions {
  readonly files: FileSystem;
  /** Folders of the archives, by shard. */
  readonly archives: readonly string[];
  /** The sums' SQLite file. */
  readonly path: string;
  readonly diagnostics: Diagnostics;
  /** Told of each waybill that drops lines, when it is summed: once, also over restarts. */
  readonly onDropped?: (waybill: Waybill) => void;
  /** Called before what was told by `onDropped` is taken note of: a crash before it tells the same waybills again. */
  readonly keepDropped?: () => void;
}

/** One account's use of one UTC day. */
export interface UsageDay {
  /** `2026-11-23`. */
  readonly day: string;
  readonly acceptedLines: number;
  readonly acceptedBytes: number;
  readonly deliveredLines: number;
  /** Bytes before compression, over all jobs: what Logpush bills. */
  readonly deliveredBytes: number;
  readonly sentBytes: number;
}

export interface Books {
  /** Sums what the archive has gained. */
  catchUp(): Promise<void>;
  /**
   * Answers from sums that hold exactly what lies behind a cut: the shard's side and its archive's are of one instant, so
   * that lines which come meanwhile never look like an imbalance (I2). Nothing is said of shards without a mark.
   *
   * @param take asks the shards for a cut; again when the sums had gone past it
   * @param answer reads the sums, in one turn
   */
  at<Cut extends { readonly marks: readonly ShardMark[] }, Answer>(
    take: () => Promise<Cut>,
    answer: (cut: Cut) => Answer,
  ): Promise<Answer>;
  /** A job's ledger, hour by hour (newest first, at most `hours` of them), at the instant of its cut. */
  job(cut: JobCut, hours?: number): JobLedger;
  scope(
    scope: Scope,
    streams: readonly string[],
    jobs: readonly JobCut[],
    hours?: number,
    replays?: readonly JobCut[],
  ): ScopeLedger;
  /** Names of the streams of these scopes that the books have met, as accepted or as refused. */
  streams(scopes: readonly Scope[]): readonly string[];
  /** What the books know of a job that no shard knows any more; undefined for one never heard of. */
  formerJob(job: number): JobCut | undefined;
  usage(streams: readonly string[], jobs: readonly number[], days: number): readonly UsageDay[];
  /** What each of these streams has accepted in its busiest UTC hour since `sinceMs`; those with none are left out. */
  busyHours(
    streams: readonly string[],
    sinceMs: number,
  ): ReadonlyMap<string, { readonly lines: number; readonly bytes: number }>;
  close(): void;
}

/**
 * Opens the sums over an archive.
 *
 * @throws when SQLite cannot write at `path` at all
 */
export async function openBooks(options: BooksOptions): Promise<Books> {
  const { files, diagnostics, path } = options;
  const open = () => {
    const database = openTables(path);
    return database && booksIn(database, options);
  };
  const books = open();
  if (books) return books;
  diagnostics.warn('ledger sums are unreadable; summing the archive anew', { path });
  for (const suffix of ['', '-wal', '-shm']) await files.unlink(`${path}${suffix}`).catch(() => {});
  const anew = open();
  if (!anew) throw new Error(`the ledger's sums cannot be opened: ${path}`);
  return anew;
}

/** How often a cut is taken again because the sums had gone past it: they do so every few seconds. */
const TRIES = 5;

class SqliteBooks implements Books {
  readonly #database: DatabaseSync;
  readonly #options: BooksOptions;
  readonly #statements: ReturnType<typeof prepare>;
  /** How far each archive is summed. */
  readonly #marks: ArchiveMark[];
  #catching: Promise<unknown> = Promise.resolve();
  readonly #told = new Set<string>();

  constructor(database: DatabaseSync, options: BooksOptions) {
    this.#database = database;
    this.#options = options;
    this.#statements = prepare(database);
    this.#marks = options.archives.map((_, shard) => {
      const row = database.prepare('SELECT file, bytes FROM progress WHERE shard = ?').get(shard);
      return { file: Number(row?.['file'] ?? 0), bytes: Number(row?.['bytes'] ?? 0) };
    });
  }

  catchUp(): Promise<void> {
    return this.#inTurn(async () => {
      for (const shard of this.#marks.keys()) await this.#sum(shard);
    });
  }

  async at<Cut extends { readonly marks: readonly ShardMark[] }, Answer>(
    take: () => Promise<Cut>,
    answer: (cut: Cut) => Answer,
  ): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      const cut = await take();
      // Others may have summed further while this cut was on its way; whoever asked in the end takes what is there.
      const answered = await this.#inTurn(async () => {
        const isPast = cut.marks.some(({ shard, ...mark }) => isBefore(mark, this.#marks[shard]!));
        if (isPast && tries < TRIES) return undefined;
        for (const { shard, ...mark } of cut.marks) await this.#sum(shard, mark);
        return { value: answer(cut) };
      });
      if (answered) return answered.value;
    }
  }

  /** One after the other, whoever asks. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#catching.then(work, work);
    this.#catching = turn.catch(() => {});
    return turn;
  }

  async #sum(shard: number, until?: ArchiveMark): Promise<void> {
    const { files, archives, diagnostics } = this.#options;
    const from = this.#marks[shard]!;
    if (until && !isBefore(from, until)) return;
    for await (const piece of readArchive(files, archives[shard]!, from, until)) {
      const place = `shard ${shard}, ${piece.mark.file}/${piece.mark.bytes}`;
      if (piece.damaged && !this.#told.has(place)) {
        this.#told.add(place);
        diagnostics.alarm('archive is damaged: hours in it may be incomplete in the ledger', {
          place,
          what: piece.damaged,
        });
      }
      this.#database.exec('BEGIN');
      try {
        for (const event of piece.events) this.#add(event, shard);
        this.#options.keepDropped?.();
        this.#statements.setProgress.run(shard, piece.mark.file, piece.mark.bytes);
        this.#database.exec('COMMIT');
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
      this.#marks[shard] = piece.mark;
    }
  }

  #add(event: LedgerEvent, shard: number): void {
    const sql = this.#statements;
    switch (event.kind) {
      case 'accepted': {
        const { stream, epoch, hour, range } = event;
        const upto = (sql.upto.get(stream, epoch) as { upto: number } | undefined)?.upto ?? 0;
        if (range.to <= upto) return;
        const from = Math.max(range.from, upto);
        const bytes = Math.round(event.bytes * ((range.to - from) / (range.to - range.from)));
        sql.accepted.run(stream, hour, epoch, from, range.to - from, bytes);
        sql.setUpto.run(stream, epoch, range.to);
        return;
      }
      case 'job':
        this.#addJob(event);
        return;
      case 'waybill':
        this.#addWaybill(event.waybill);
        return;
      case 'refused': {
        // Each shard numbers those that it has counted, of whichever stream.
        const seen = sql.refusals.get(shard) as { sequence: number } | undefined;
        if (event.sequence <= (seen?.sequence ?? 0)) return;
        sql.setRefusals.run(shard, event.sequence);
        for (const entry of event.entries)
          sql.notTaken.run(entry.stream, entry.hour, entry.reason, entry.requests, entry.lines);
        return;
      }
    }
  }

  /** A job that was forgotten and is opened again begins a new life: its start moves on, its waybills count from one. */
  #addJob({ job, stream, epoch, start }: LedgerEvent & { kind: 'job' }): void {
    const known = this.#statements.life.get(job) as Life | undefined;
    if (known && known.epoch === epoch && known.start >= start) return;
    this.#statements.setLife.run(job, stream, epoch, start);
  }

  #addWaybill(waybill: Waybill): void {
    const sql = this.#statements;
    let life = sql.life.get(waybill.job) as Life | undefined;
    if (!life) {
      sql.setLife.run(waybill.job, waybill.stream, waybill.epoch, waybill.range.from);
      life = { epoch: waybill.epoch, start: waybill.range.from, sequence: 0 };
    }
    // Of a former life, or counted before: it comes again after a crash.
    const ofThisLife = waybill.epoch === life.epoch && waybill.range.from >= life.start;
    if (!ofThisLife || waybill.sequence <= life.sequence) return;
    sql.setSequence.run(waybill.sequence, waybill.job);
    const settle = (outcome: string, lines: number | undefined) => {
      if (lines) sql.settled.run(waybill.job, life.start, waybill.hour, outcome, lines);
    };
    settle('delivered', waybill.counts.delivered);
    for (const reason of EXCLUDE_REASONS)
      settle(`excluded:${reason}`, waybill.counts.excluded[reason]);
    for (const reason of DROP_REASONS) settle(`dropped:${reason}`, waybill.counts.dropped[reason]);
    if (DROP_REASONS.some((reason) => waybill.counts.dropped[reason])) {
      this.#options.onDropped?.(waybill);
    }
    if (waybill.plan !== null)
      sql.sent.run(waybill.job, waybill.hour, waybill.plainBytes, waybill.sentBytes);
  }

  job(cut: JobCut, hours = 24 * 7): JobLedger {
    return jobLedger(this.#database, cut, hours);
  }

  scope(
    scope: Scope,
    streams: readonly string[],
    jobs: readonly JobCut[],
    hours = 24 * 7,
    replays: readonly JobCut[] = [],
  ): ScopeLedger {
    const wanted = new Set(streams);
    return {
      scope,
      streams: streams.map((stream) => ({ stream, ...this.#streamSums(stream) })),
      jobs: jobs.filter((job) => wanted.has(job.stream)).map((job) => this.job(job, hours)),
      replays: replays.map((replay) => this.job(replay, hours)),
    };
  }

  #streamSums(stream: string) {
    const sums = this.#database
      .prepare(
        'SELECT coalesce(sum(lines), 0) AS lines, coalesce(sum(bytes), 0) AS bytes FROM accepted WHERE stream = ?',
      )
      .get(stream) as { lines: number; bytes: number };
    const refusals = this.#database
      .prepare(
        'SELECT reason, sum(lines) AS lines FROM not_taken WHERE stream = ? GROUP BY reason ORDER BY reason',
      )
      .all(stream) as { reason: string; lines: number }[];
    return {
      accepted: sums.lines,
      acceptedBytes: sums.bytes,
      notTaken: Object.fromEntries(refusals.map((row) => [row.reason, row.lines])),
    };
  }

  streams(scopes: readonly Scope[]): readonly string[] {
    return this.#database
      .prepare(
        `SELECT stream FROM (SELECT stream FROM seen_streams UNION SELECT stream FROM not_taken)
         WHERE EXISTS (SELECT 1 FROM json_each(?) WHERE stream >= value || '/' AND stream < value || '0') ORDER BY stream`,
      )
      .all(JSON.stringify(scopes.map(scopePath)))
      .map((row) => String(row['stream']));
  }

  formerJob(job: number): JobCut | undefined {
    const known = this.#database.prepare('SELECT stream, start FROM jobs WHERE job = ?').get(job);
    if (!known) return undefined;
    const totals = [...settledByHour(this.#database, job, { butLife: -1 }).values()].reduce(
      addCounts,
      NO_LINES,
    );
    const start = Number(known['start']);
    return {
      job,
      stream: String(known['stream']),
      start,
      head: start + settledLines(totals),
      totals,
      waitingByHour: [],
    };
  }

  usage(streams: readonly string[], jobs: readonly number[], days: number): readonly UsageDay[] {
    const accepted = this.#database
      .prepare(
        `SELECT hour / 24 AS day, sum(lines) AS lines, sum(bytes) AS bytes FROM accepted
         WHERE stream IN (SELECT value FROM json_each(?)) GROUP BY day`,
      )
      .all(JSON.stringify(streams)) as { day: number; lines: number; bytes: number }[];
    const sent = this.#database
      .prepare(
        `SELECT hour / 24 AS day, sum(plain_bytes) AS plain, sum(sent_bytes) AS sent FROM sent
         WHERE job IN (SELECT value FROM json_each(?)) GROUP BY day`,
      )
      .all(JSON.stringify(jobs)) as { day: number; plain: number; sent: number }[];
    const delivered = this.#database
      .prepare(
        `SELECT hour / 24 AS day, sum(lines) AS lines FROM settled
         WHERE outcome = 'delivered' AND job IN (SELECT value FROM json_each(?)) GROUP BY day`,
      )
      .all(JSON.stringify(jobs)) as { day: number; lines: number }[];
    const known = new Set([...accepted, ...sent, ...delivered].map((row) => row.day));
    return [...known]
      .toSorted((a, b) => b - a)
      .slice(0, days)
      .map((day) => ({
        day: new Date(day * 86_400_000).toISOString().slice(0, 10),
        acceptedLines: accepted.find((row) => row.day === day)?.lines ?? 0,
        acceptedBytes: accepted.find((row) => row.day === day)?.bytes ?? 0,
        deliveredLines: delivered.find((row) => row.day === day)?.lines ?? 0,
        deliveredBytes: sent.find((row) => row.day === day)?.plain ?? 0,
        sentBytes: sent.find((row) => row.day === day)?.sent ?? 0,
      }));
  }

  busyHours(streams: readonly string[], sinceMs: number) {
    const since = Math.floor(sinceMs / 3_600_000);
    const busy = new Map<string, { readonly lines: number; readonly bytes: number }>();
    // One statement for all: one by one they cost four times as much.
    for (const row of this.#statements.busiest.all(JSON.stringify(streams), since)) {
      const { stream, lines, bytes } = row as { stream: string; lines: number; bytes: number };
      busy.set(stream, { lines, bytes });
    }
    return busy;
  }

  close(): void {
    this.#database.close();
  }
}

interface Life {
  readonly epoch: string;
  readonly start: number;
  readonly sequence: number;
}

/** The books of a database whose tables and marks can be read; undefined, and closed, where they cannot. */
function booksIn(database: DatabaseSync, options: BooksOptions): Books | undefined {
  try {
    return new SqliteBooks(database, options);
  } catch (error) {
    database.close();
    if (isDamaged(error)) return undefined;
    throw error;
  }
}

const isBefore = (a: ArchiveMark, b: ArchiveMark): boolean =>
  a.file < b.file || (a.file === b.file && a.bytes < b.bytes);

function prepare(database: DatabaseSync) {
  const sql = (text: string) => database.prepare(text);
  return {
    // `bytes` is taken from the row of the largest `lines`: what SQLite says of bare columns beside max().
    busiest: sql(
      `SELECT stream, max(lines) AS lines, bytes
       FROM (SELECT stream, sum(lines) AS lines, sum(bytes) AS bytes
             FROM json_each(?) JOIN accepted ON stream = json_each.value
             WHERE hour >= ? GROUP BY stream, hour)
       GROUP BY stream`,
    ),
    upto: sql('SELECT upto FROM seen_streams WHERE stream = ? AND epoch = ?'),
    setUpto: sql(
      'INSERT INTO seen_streams VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET upto = excluded.upto',
    ),
    accepted: sql(
      `INSERT INTO accepted (stream, hour, epoch, first, lines, bytes) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET lines = lines + excluded.lines, bytes = bytes + excluded.bytes`,
    ),
    life: sql('SELECT epoch, start, sequence FROM jobs WHERE job = ?'),
    setLife: sql(
      `INSERT INTO jobs (job, stream, epoch, start, sequence) VALUES (?, ?, ?, ?, 0)
       ON CONFLICT DO UPDATE SET stream = excluded.stream, epoch = excluded.epoch, start = excluded.start, sequence = 0`,
    ),
    setSequence: sql('UPDATE jobs SET sequence = ? WHERE job = ?'),
    settled: sql(
      'INSERT INTO settled VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET lines = lines + excluded.lines',
    ),
    sent: sql(
      `INSERT INTO sent VALUES (?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET batches = batches + 1,
       plain_bytes = plain_bytes + excluded.plain_bytes, sent_bytes = sent_bytes + excluded.sent_bytes`,
    ),
    setProgress: sql(
      `INSERT INTO progress VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET file = excluded.file, bytes = excluded.bytes`,
    ),
    refusals: sql('SELECT sequence FROM seen_refusals WHERE shard = ?'),
    setRefusals: sql(
      'INSERT INTO seen_refusals VALUES (?, ?) ON CONFLICT DO UPDATE SET sequence = excluded.sequence',
    ),
    notTaken: sql(
      `INSERT INTO not_taken VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
       lines = lines + excluded.lines`,
    ),
  };
}
