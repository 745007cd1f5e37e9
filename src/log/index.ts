/**
 * The door of the log: one shard's ordered, durable sequence of opaque records.
 *
 * The design is in `contract.ts`; how it lies on disk in `files/` and `docs/formats/segment.md`.
 */
export type {
  AppendFailure,
  AppendOptions,
  AppendOutcome,
  Damage,
  LogRecord,
  LogStats,
  OpenOutcome,
  Position,
  ReadOneOutcome,
  ReadOutcome,
  RecordParts,
  ShardLog,
} from './contract.ts';
export { memoryLog, memoryStore } from './memory.ts';
export type { MemoryLogOptions, MemoryStore } from './memory.ts';
export { openFilesLog } from './files/open.ts';
export { STEPS } from './files/options.ts';
export type { FilesLogOptions, Step } from './files/options.ts';
