/**
 * Sends batches: records into partitions, partitions to their leaders, acknowledged by all replicas in sync. The broker knows
 * repeats by producer id and sequence number for as long as this sender lives; after that by the records' headers, whoever
 * reads them.
 */
import { limits } from '../../model/limits.ts';
import type { Batch, DestinationTools, Sender, SendOutcome } from '../destination.ts';
import { meaningOf, refusalOf } from './answers.ts';
import type { BrokerFailure } from './broker-socket.ts';
import { Cluster } from './cluster.ts';
import { compress } from './compress.ts';
import { Connection } from './connection.ts';
import { encodeBatch, encodeRecords, SharedHeaders } from './record-batch.ts';
import type { KafkaRecord } from './record-batch.ts';
import {
  APIS,
  initProducerIdRequest,
  produceRequest,
  readProduced,
  readProducerId,
} from './requests.ts';
import type { Metadata, PartitionAnswer } from './requests.ts';
import { recordsOf } from './rows.ts';
import type { KafkaSettings } from './settings.ts';
import { cut, Shipment } from './shipment.ts';
import type { Chunk, Producer } from './shipment.ts';

/** What ends an attempt short of success. */
type Trouble = Exclude<SendOutcome, { kind: 'accepted' | 'partial' }>;

/** The user may write, and may not do so as a producer that is known again: CLUSTER_AUTHORIZATION_FAILED before Kafka 3. */
const NO_PRODUCER_FOR_YOU: ReadonlySet<number> = new Set([31, 35, 53]);
const NOBODY: Omit<Producer, 'next'> = { id: -1n, epoch: -1 };

export function kafkaSender(settings: KafkaSettings, tools: DestinationTools): Sender {
  return new KafkaSender(settings, tools);
}

class KafkaSender implements Sender {
  readonly #settings: KafkaSettings;
  readonly #tools: DestinationTools;
  readonly #cluster: Cluster;
  /** Batches whose last attempt failed, by id and bytes, the oldest first. */
  readonly #unfinished = new Map<string, Shipment>();
  /** Producers that no batch uses just now. */
  readonly #producers: Producer[] = [];

  constructor(settings: KafkaSettings, tools: DestinationTools) {
    this.#settings = settings;
    this.#tools = tools;
    this.#cluster = new Cluster(settings, tools);
  }

  async send(batch: Batch, signal: AbortSignal): Promise<SendOutcome> {
    if (signal.aborted) return { kind: 'retry', reason: 'the attempt was stopped' };
    const attempt = new Attempt(batch);
    const stop = (reason: string): void => {
      attempt.stopped = reason;
      this.#cluster.cut(reason);
    };
    const onAbort = (): void => stop('the attempt was stopped');
    signal.addEventListener('abort', onAbort, { once: true });
    const { clock, attemptMs } = this.#tools;
    const cancel = clock.after(attemptMs, () => stop('the attempt took too long'));
    try {
      return await this.#ship(attempt);
    } finally {
      cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  close(): Promise<void> {
    this.#cluster.close();
    return Promise.resolve();
  }

  async #ship(attempt: Attempt): Promise<SendOutcome> {
    const { batch } = attempt;
    const records = await recordsOf(batch, this.#settings.recordKey);
    const metadata = await this.#cluster.metadata();
    if ('kind' in metadata) return { kind: 'retry', reason: metadata.reason };
    const shipment = this.#unfinished.get(keyOf(batch)) ?? this.#begin(attempt, records, metadata);
    if (!(shipment instanceof Shipment)) return shipment;
    this.#unfinished.delete(keyOf(batch));
    const trouble = await this.#sendAll(attempt, shipment, records);
    if (trouble) {
      this.#keepForRepeat(shipment);
      return trouble;
    }
    if (shipment.producer) this.#producers.push(shipment.producer);
    return { kind: 'accepted', receipt: shipment.receipt(this.#settings.topic) };
  }

  #begin(
    attempt: Attempt,
    records: readonly KafkaRecord[],
    metadata: Metadata,
  ): Shipment | Trouble {
    const partitions = metadata.topic.leaders.length;
    const { partition } = this.#settings;
    if (partition !== undefined && partition >= partitions) {
      this.#cluster.forget();
      return { kind: 'retry', reason: `the topic has no partition ${partition}` };
    }
    return new Shipment(
      keyOf(attempt.batch),
      cut(attempt.batch, records, this.#settings, partitions, attempt.shared),
    );
  }

  /** The shipments that wait are few; the oldest makes room, and its producer is not used again. */
  #keepForRepeat(shipment: Shipment): void {
    this.#unfinished.set(shipment.key, shipment);
    if (this.#unfinished.size <= limits.kafka.unfinished) return;
    for (const oldest of this.#unfinished.keys()) {
      this.#unfinished.delete(oldest);
      return;
    }
  }

  /** Round after round, one record batch of each partition, until all are taken or something is in the way. */
  async #sendAll(
    attempt: Attempt,
    shipment: Shipment,
    records: readonly KafkaRecord[],
  ): Promise<Trouble | undefined> {
    while (!shipment.isDone) {
      if (attempt.stopped !== undefined) return { kind: 'retry', reason: attempt.stopped };
      const metadata = await this.#cluster.metadata();
      if ('kind' in metadata) return { kind: 'retry', reason: metadata.reason };
      const noProducer = await this.#giveProducer(attempt, shipment);
      if (noProducer) return noProducer;
      const troubles = await Promise.all(
        this.#byLeader(shipment, metadata).map(([leader, chunks]) =>
          this.#produce(attempt, shipment, records, { metadata, leader, chunks }),
        ),
      );
      const trouble = worst(troubles);
      if (!trouble) continue;
      if (attempt.stopped !== undefined) return { kind: 'retry', reason: attempt.stopped };
      if (trouble.isWorthAnotherTry && attempt.mayTryAgain()) continue;
      return trouble.outcome;
    }
    return undefined;
  }

  #byLeader(shipment: Shipment, { topic }: Metadata): readonly (readonly [number, Chunk[]])[] {
    const found = new Map<number, Chunk[]>();
    for (const chunk of shipment.next) {
      const leader = topic.leaders[chunk.partition] ?? -1;
      const chunks = found.get(leader);
      if (chunks) chunks.push(chunk);
      else if (found.size < limits.kafka.leadersAtOnce) found.set(leader, [chunk]);
    }
    return [...found];
  }

  async #giveProducer(attempt: Attempt, shipment: Shipment): Promise<Trouble | undefined> {
    if (shipment.producer) return undefined;
    shipment.producer = this.#producers.pop();
    if (shipment.producer) return undefined;
    for (;;) {
      const connection = await this.#cluster.anyBroker();
      if (!(connection instanceof Connection)) return { kind: 'retry', reason: connection.reason };
      // Clusters that have no such ids, or give this user none, are produced to without.
      const isOffered = connection.versionOf(APIS.initProducerId) !== undefined;
      const answer = isOffered
        ? await connection.ask(APIS.initProducerId, initProducerIdRequest(), readProducerId)
        : undefined;
      if (answer?.kind === 'failed') {
        if (answer.isStale && attempt.mayTryAgain()) continue;
        return { kind: 'retry', reason: attempt.stopped ?? answer.reason };
      }
      const code = answer?.value.code ?? 0;
      if (code !== 0 && !NO_PRODUCER_FOR_YOU.has(code)) return refusalOf(code);
      const mark = answer?.value.code === 0 ? answer.value : NOBODY;
      shipment.producer = { id: mark.id, epoch: mark.epoch, next: new Map() };
      return undefined;
    }
  }

  async #produce(
    attempt: Attempt,
    shipment: Shipment,
    records: readonly KafkaRecord[],
    {
      metadata,
      leader,
      chunks,
    }: {
      readonly metadata: Metadata;
      readonly leader: number;
      readonly chunks: readonly Chunk[];
    },
  ): Promise<RoundTrouble | undefined> {
    if (leader < 0) {
      this.#cluster.forget();
      return { outcome: refusalOf(5), isWorthAnotherTry: false };
    }
    const connection = await this.#cluster.broker(metadata, leader);
    if (!(connection instanceof Connection)) return this.#unreachable(connection);
    if (this.#settings.compression === 'zstd' && (connection.versionOf(APIS.produce) ?? 0) < 7)
      return { outcome: refusalOf(76), isWorthAnotherTry: false };
    const partitions = [];
    for (const chunk of chunks)
      partitions.push({
        partition: chunk.partition,
        records: await this.#encode(attempt, shipment, chunk, records),
      });
    const ackMs = Math.min(limits.kafka.ackMs, this.#tools.attemptMs);
    const body = produceRequest(this.#settings.topic, ackMs, partitions);
    const answer = await connection.ask(APIS.produce, body, readProduced);
    if (answer.kind === 'failed') return this.#unreachable(answer);
    return worst(chunks.map((chunk) => this.#settle(shipment, chunk, answer.value)));
  }

  #unreachable({ reason, isStale }: BrokerFailure): RoundTrouble {
    this.#cluster.forget();
    return { outcome: { kind: 'retry', reason }, isWorthAnotherTry: isStale };
  }

  async #encode(
    { shared }: Attempt,
    shipment: Shipment,
    chunk: Chunk,
    records: readonly KafkaRecord[],
  ): Promise<readonly Buffer[]> {
    const { compression } = this.#settings;
    const own = chunk.places.flatMap((place) => records[place] ?? []);
    const compressed = await compress(encodeRecords(own, shared), compression);
    const { id, epoch } = shipment.producer ?? NOBODY;
    const sequence = id < 0n ? -1 : shipment.sequenceOf(chunk);
    return encodeBatch(own, compressed, compression, { id, epoch, sequence });
  }

  #settle(
    shipment: Shipment,
    chunk: Chunk,
    answers: readonly PartitionAnswer[],
  ): RoundTrouble | undefined {
    const answer = answers.find(({ partition }) => partition === chunk.partition);
    if (answer === undefined)
      return {
        outcome: { kind: 'retry', reason: 'the broker did not say what became of the batch' },
        isWorthAnotherTry: false,
      };
    const { kind, renew } = meaningOf(answer.code);
    if (kind === 'accepted') {
      shipment.taken(chunk, answer.offset);
      return undefined;
    }
    // A topic may take less than the job says: its halves are tried before the lines are anybody's trouble.
    if (kind === 'split' && shipment.halve(chunk)) return undefined;
    if (renew === 'metadata') this.#cluster.forget();
    if (renew === 'producer') shipment.producer = undefined;
    return { outcome: refusalOf(answer.code), isWorthAnotherTry: renew !== undefined };
  }
}

/** What went wrong in a round, and whether it may be mended by asking anew at once. */
interface RoundTrouble {
  readonly outcome: Trouble;
  readonly isWorthAnotherTry: boolean;
}

/** One call of `send`. */
class Attempt {
  readonly batch: Batch;
  readonly shared: SharedHeaders;
  /** Why it must end. */
  stopped: string | undefined;
  #tries = 1;

  constructor(batch: Batch) {
    this.batch = batch;
    this.shared = new SharedHeaders({
      'waybill-batch': batch.id,
      'waybill-job': String(batch.job),
      'waybill-stream': batch.stream,
      'waybill-lines': String(batch.lines),
      // The end is not included, as everywhere in Waybill.
      'waybill-offsets': `${batch.epoch}:${batch.from}-${batch.to}`,
    });
  }

  /** What is cured by asking anew gets one more try; the rest is for the job's own back-off. */
  mayTryAgain(): boolean {
    this.#tries -= 1;
    return this.#tries >= 0;
  }
}

/** A repeat has the same bytes; what has not is another batch, whatever it is called. */
function keyOf({ id, sha256 }: Batch): string {
  return `${id} ${sha256}`;
}

/** Of several troubles the one that says most: bad lines before large ones before what passes. */
function worst(troubles: readonly (RoundTrouble | undefined)[]): RoundTrouble | undefined {
  const found = troubles.filter((trouble) => trouble !== undefined);
  const of = (kind: Trouble['kind']) => found.find(({ outcome }) => outcome.kind === kind);
  return of('reject') ?? of('split') ?? of('retry');
}
