/**
 * What a shard and a thread that prepares batches for it say to each other. All of it can be cloned; bytes move and are not
 * copied again.
 */
import type { MessagePort, Worker } from 'node:worker_threads';
import type { ReadBlocks } from '../../buffer/index.ts';
import type { ContentRecipe } from '../content/contract.ts';
import type { Prepared, PreparedBatch, PrepareRequest } from '../prepare.ts';

/** A request without what is compiled. */
export interface Task extends Omit<PrepareRequest, 'content'> {
  readonly content: 'whole' | ContentRecipe;
}

/** Blocks whose stored bytes stand one behind the other in memory of their own. */
export interface PackedBlocks {
  readonly kind: 'packed';
  readonly bytes: ArrayBuffer;
  /** What else there is to know of each, as numbers one behind the other: dozens of small objects would be cloned. */
  readonly columns: Float64Array<ArrayBuffer>;
}

/** A batch whose body is in memory of its own. */
export interface PackedBatch extends Omit<PreparedBatch, 'member' | 'receiver' | 'giveBack'> {
  readonly body: ArrayBuffer;
  /** Where the body's parts end. */
  readonly ends: readonly number[];
  readonly plainBytes: number;
}

export type PackedPrepared = PackedBatch | Exclude<Prepared, PreparedBatch>;

/** To the thread. A task has one reading under way at most, so its number names the reading too. */
export interface ToThread {
  readonly task: number;
  /** With the first reading. */
  readonly order?: Task;
  readonly read: PackedRead;
}

/** What a reading brought. */
export type PackedRead = PackedBlocks | Exclude<ReadBlocks, { kind: 'blocks' }>;

export type FromThread =
  | { readonly task: number; readonly from: number; readonly maxPlainBytes: number }
  | { readonly task: number; readonly prepared: PackedPrepared }
  /** A bug of ours. */
  | { readonly task: number; readonly fault: { readonly name: string; readonly claim: string } };

/** The end of a message channel, or a thread. */
export type Port = MessagePort | Worker;
