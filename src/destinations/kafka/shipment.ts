/**
 * One Waybill batch on its way into a topic: which record goes to which partition, cut into Kafka's record batches, and which
 * of these the brokers have taken. It outlives a failed attempt, so that the repeat sends what is missing under the same
 * producer id and sequence numbers: a broker that took a record batch and could not say so knows it again, and takes it once.
 */
import type { Batch } from '../destination.ts';
import { murmur2 } from './murmur2.ts';
import { recordOverhead } from './record-batch.ts';
import type { KafkaRecord, SharedHeaders } from './record-batch.ts';
import type { KafkaSettings } from './settings.ts';

/** Sequence numbers are 31 bits and begin again at 0. */
const SEQUENCES = 2 ** 31;

/** A run of one partition's records that is sent as one record batch. */
export interface Chunk {
  readonly partition: number;
  /** Places in the batch. */
  readonly places: readonly number[];
}

export interface Receipt {
  readonly partition: number;
  readonly offset: bigint;
}

/** A producer id of the cluster, with the next sequence number of each partition. */
export interface Producer {
  readonly id: bigint;
  readonly epoch: number;
  readonly next: Map<number, number>;
}

export class Shipment {
  /** By which its repeat is known. */
  readonly key: string;
  /** By partition, those not taken yet, in their order. */
  readonly #waiting = new Map<number, Chunk[]>();
  readonly #receipts: Receipt[] = [];
  producer: Producer | undefined;

  constructor(key: string, chunks: readonly Chunk[]) {
    this.key = key;
    for (const chunk of chunks) {
      const list = this.#waiting.get(chunk.partition);
      if (list) list.push(chunk);
      else this.#waiting.set(chunk.partition, [chunk]);
    }
  }

  /** The next record batch of each partition. */
  get next(): readonly Chunk[] {
    return [...this.#waiting.values()].flatMap(([first]) => (first ? [first] : []));
  }

  get isDone(): boolean {
    return this.#waiting.size === 0;
  }

  sequenceOf({ partition }: Chunk): number {
    return this.producer?.next.get(partition) ?? 0;
  }

  taken(chunk: Chunk, offset: bigint): void {
    const { partition, places } = chunk;
    const rest = (this.#waiting.get(partition) ?? []).slice(1);
    if (rest.length > 0) this.#waiting.set(partition, rest);
    else this.#waiting.delete(partition);
    this.#receipts.push({ partition, offset });
    const next = (this.sequenceOf(chunk) + places.length) % SEQUENCES;
    this.producer?.next.set(partition, next);
  }

  /** The topic finds it too large: two halves go in its place, where there are two records at least. */
  halve({ partition, places }: Chunk): boolean {
    if (places.length < 2) return false;
    const middle = places.length >> 1;
    const halves = [places.slice(0, middle), places.slice(middle)];
    const rest = (this.#waiting.get(partition) ?? []).slice(1);
    this.#waiting.set(partition, [...halves.map((half) => ({ partition, places: half })), ...rest]);
    return true;
  }

  /** Where the records went, as a waybill's receipt says it. */
  receipt(topic: string): string {
    const [first, ...more] = this.#receipts;
    if (first === undefined) return topic;
    const others = more.length > 0 ? ` and ${more.length} more` : '';
    const place = first.offset < 0n ? '' : `@${first.offset}`;
    return `${topic}[${first.partition}]${place}${others}`;
  }
}

/** Cuts a batch's records into record batches of `messageBytes` at most; a longer record is alone in its own. */
export function cut(
  batch: Batch,
  records: readonly KafkaRecord[],
  settings: Pick<KafkaSettings, 'partition' | 'messageBytes'>,
  partitions: number,
  shared: SharedHeaders,
): readonly Chunk[] {
  const byPartition = new Map<number, { places: number[]; bytes: number }>();
  const chunks: Chunk[] = [];
  const flush = (partition: number, places: readonly number[]): void => {
    if (places.length > 0) chunks.push({ partition, places });
  };
  const keyless = murmur2(Buffer.from(batch.id)) % partitions;
  for (const [place, record] of records.entries()) {
    const byKey = record.key === undefined ? keyless : murmur2(record.key) % partitions;
    const partition = settings.partition ?? byKey;
    const bytes = record.value.length + (record.key?.length ?? 0) + recordOverhead(record, shared);
    const open = byPartition.get(partition);
    if (open && open.bytes + bytes <= settings.messageBytes) {
      open.places.push(place);
      open.bytes += bytes;
      continue;
    }
    if (open) flush(partition, open.places);
    byPartition.set(partition, { places: [place], bytes });
  }
  for (const [partition, { places }] of byPartition) flush(partition, places);
  return chunks;
}
