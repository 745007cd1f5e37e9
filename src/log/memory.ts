/**
 * The log in memory: same contract, nothing outlives the process.
 *
 * It keeps the contract honest (whatever is true only of files fails here) and serves tests and trials. Positions count
 * bytes as they would lie in a file, so that sizes look alike. Opening a store again fences the log that had it before.
 */
import { assert } from '../lib/assert.ts';
import { groupBytes } from './record.ts';
import type {
  AppendOutcome,
  LogRecord,
  LogStats,
  Position,
  ReadOneOutcome,
  ReadOutcome,
  RecordPlace,
  RecordParts,
  ShardLog,
} from './contract.ts';

/** What successive openings share. */
export interface MemoryStore {
  epoch: number;
  /** Kept records, oldest first. */
  records: LogRecord[];
  start: Position;
  end: Position;
  heldBytes: number;
}

export function memoryStore(): MemoryStore {
  const origin = 0 as Position;
  return { epoch: 0, records: [], start: origin, end: origin, heldBytes: 0 };
}

export interface MemoryLogOptions {
  /** The largest record. */
  readonly recordBytes: number;
  /** Bytes held at most; an append beyond it answers `full` until something is trimmed. */
  readonly capacityBytes: number;
  /** Given to open again what an earlier log held; a new one otherwise. */
  readonly store?: MemoryStore;
}

/** Bytes that a record takes beside its payload, as in a segment file. */
const FRAME_BYTES = 32;

class MemoryLog implements ShardLog {
  readonly durability = 'memory';
  readonly epoch: number;
  readonly #store: MemoryStore;
  readonly #recordBytes: number;
  readonly #capacityBytes: number;
  #closed = false;
  #writtenBytes = 0;

  constructor(options: MemoryLogOptions) {
    this.#store = options.store ?? memoryStore();
    this.#recordBytes = options.recordBytes;
    this.#capacityBytes = options.capacityBytes;
    this.epoch = ++this.#store.epoch;
  }

  async append(group: readonly RecordParts[]): Promise<AppendOutcome> {
    const bytes = groupBytes(group, this.#recordBytes, frameBytes);
    if (this.#fenced()) return { kind: 'fenced' };
    const store = this.#store;
    if (store.heldBytes + bytes > this.#capacityBytes) {
      return { kind: 'full', detail: `${this.#capacityBytes} bytes are held in memory` };
    }
    const positions: Position[] = [];
    for (const parts of group) {
      const position = store.end;
      const payload = Buffer.concat(parts);
      store.end = (position + frameBytes(payload.length)) as Position;
      store.records.push({ position, end: store.end, payload });
      positions.push(position);
    }
    store.heldBytes += bytes;
    this.#writtenBytes += bytes;
    return { kind: 'durable', positions, end: store.end };
  }

  async mark(): Promise<void> {}

  durableEnd(): Position {
    return this.#store.end;
  }

  start(): Position {
    return this.#store.start;
  }

  async read(from: Position, maxBytes: number, before = Infinity): Promise<ReadOutcome> {
    if (this.#fenced()) return { kind: 'fenced' };
    const { records: kept, start, end } = this.#store;
    if (from < start) return { kind: 'trimmed', start };
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let index = this.#indexOf(from); index < kept.length; index++) {
      const record = kept[index]!;
      if (records.length > 0 && bytes + record.payload.length > maxBytes) break;
      if (record.position >= before) break;
      records.push(record);
      bytes += record.payload.length;
    }
    return { kind: 'records', records, damage: [], next: records.at(-1)?.end ?? end };
  }

  async readOne(position: Position): Promise<ReadOneOutcome> {
    if (this.#fenced()) return { kind: 'fenced' };
    const { records, start } = this.#store;
    if (position < start) return { kind: 'trimmed', start };
    const record = records[this.#indexOf(position)];
    if (record?.position !== position) return { kind: 'damaged', reason: 'no record begins here' };
    return { kind: 'record', record };
  }

  readEach(places: readonly RecordPlace[]): Promise<readonly ReadOneOutcome[]> {
    return Promise.all(places.map(({ position }) => this.readOne(position)));
  }

  async trimBefore(position: Position): Promise<Position> {
    const store = this.#store;
    if (this.#fenced() || position <= store.start) return store.start;
    const count = this.#indexOf(position);
    store.records = store.records.slice(count);
    const start = store.records[0]?.position ?? store.end;
    store.heldBytes -= start - store.start;
    store.start = start;
    return start;
  }

  stats(): LogStats {
    return {
      syncs: 0,
      failedSyncs: 0,
      writtenBytes: this.#writtenBytes,
      segments: 1,
      heldBytes: this.#store.heldBytes,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #fenced(): boolean {
    return this.#closed || this.#store.epoch !== this.epoch;
  }

  /** Index of the first record at or behind a position. */
  #indexOf(position: Position): number {
    const { records } = this.#store;
    let low = 0;
    let high = records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (records[middle]!.position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function frameBytes(payloadBytes: number): number {
  return FRAME_BYTES + Math.ceil(payloadBytes / 8) * 8;
}

/** Opens a log in memory; whoever had its store before is fenced. */
export function memoryLog(options: MemoryLogOptions): ShardLog {
  assert(options.recordBytes > 0 && options.capacityBytes > 0, 'a log has bounds above 0');
  return new MemoryLog(options);
}
