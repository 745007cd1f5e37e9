/**
 * The upper layer of storage: streams, offsets, blocks, jobs, plans, waybills, keys, checkpoints and index over one
 * shard's log. This is the room's door; `contract.ts` says what each part of it means.
 */
export type {
  AppendRefusal,
  AppendRequest,
  AppendResult,
  BlockInfo,
  BufferStats,
  Codec,
  DeflatedLines,
  JobStart,
  JobState,
  JobWaiting,
  LedgerEvent,
  LedgerSink,
  Lines,
  OffsetAt,
  ReadBlocks,
  RecordResult,
  RefusalCount,
  RequestIdentity,
  ShardBuffer,
  StoredBlock,
  StreamErasure,
  StreamState,
  SummedCut,
} from './contract.ts';
export { knownEnd } from './checkpoint/checkpoints.ts';
export { BlockDamaged, inflateBlock, inflateBlockHere } from './inflate.ts';
export { BUFFER_STEPS } from './deps.ts';
export type { BufferDeps, BufferLimits, BufferStep, DiskSharers } from './deps.ts';
export { waybillBytes, waybillHash } from './format/records.codec.ts';
export { openBuffer } from './open.ts';
export type { OpenBufferOutcome, Recovered } from './open.ts';
