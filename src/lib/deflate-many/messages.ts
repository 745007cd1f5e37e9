/** What two threads say to each other about pieces to deflate. The pieces themselves lie in memory that both see. */
import type { MessagePort, Worker } from 'node:worker_threads';

/** Belongs to the thread from the order on until its answer. */
export interface Order {
  readonly order: number;
  /** The pieces, one behind the other; fragments are written over the pieces that they were made of. */
  readonly memory: SharedArrayBuffer;
  /** Where each piece ends. */
  readonly ends: Uint32Array;
  readonly level: number;
}

/** Of each piece: its CRC-32; how long its fragment is, 0 when it would not be smaller; the fragment's CRC-32. */
export interface Done {
  readonly order: number;
  readonly plainCrcs: Uint32Array;
  readonly lengths: Uint32Array;
  readonly crcs: Uint32Array;
}

/** The thread's first word: that it has loaded its code. */
export type FromThread = 'ready' | Done;

/** The end of a message channel, or a thread. */
export type Port = MessagePort | Worker;
