/**
 * ledger: the account of all lines, summed from blocks and waybills. See `contract.ts` for its two halves.
 *
 * The way of an event: the buffer applies a durable record and hands the event to the archive writer (shard thread), which
 * appends it to a file; the books (control thread) read the files in order and add to SQLite sums. Events that come twice
 * after a crash are recognised by the books: by offset for accepted lines, by sequence for waybills and refusals. So the
 * sums can be deleted at any time and come out the same again.
 */
export { ARCHIVE_STEPS, openArchiveWriter } from './archive-writer.ts';
export type { ArchiveStep, OpenArchiveWriter } from './archive-writer.ts';
export { readArchive } from './archive-reader.ts';
export { openBooks } from './books.ts';
export type { Books, UsageDay } from './books.ts';
export { openAttemptStore } from './attempt-store.ts';
export type { AttemptStore } from './attempt-store.ts';
export { openKeptLines } from './kept-lines.ts';
export type { KeptLine, KeptLineEntry, KeptLines, KeptLinesReach } from './kept-lines.ts';
export { exposition } from './metrics.ts';
export type { Metric } from './metrics.ts';
export type {
  ArchiveMark,
  ArchiveWriter,
  JobCut,
  JobLedger,
  LedgerRow,
  ScopeLedger,
  ShardMark,
} from './contract.ts';
