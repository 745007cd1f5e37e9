/**
 * The few requests that a producer makes, in versions that brokers from 2.1 (2018) to 4 understand. None of them is of the
 * later "flexible" form. Layouts: https://kafka.apache.org/protocol#protocol_messages
 */
import { limits } from '../../model/limits.ts';
import { WireReader, WireWriter } from './wire.ts';

/** What a request is called and which versions we speak, the best first. */
export interface Api {
  readonly key: number;
  readonly versions: readonly number[];
}

export const APIS = {
  /** Versions below 7 take no zstd; which is why brokers that lack it are told apart. */
  produce: { key: 0, versions: [7, 6, 5, 4, 3] },
  metadata: { key: 3, versions: [4] },
  saslHandshake: { key: 17, versions: [1] },
  apiVersions: { key: 18, versions: [0] },
  initProducerId: { key: 22, versions: [1, 0] },
  saslAuthenticate: { key: 36, versions: [1, 0] },
} as const satisfies Record<string, Api>;

const UTF8_CLIENT = 'waybill';

/** Everything before a request's own body, the length of the whole included. */
export function requestHead(
  api: Api,
  version: number,
  correlation: number,
  bodyBytes: number,
): Buffer {
  const head = new WireWriter().int16(api.key).int16(version).int32(correlation);
  const bytes = Buffer.concat(head.string(UTF8_CLIENT).finish());
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length + bodyBytes);
  return Buffer.concat([length, bytes]);
}

export interface VersionRange {
  readonly key: number;
  readonly least: number;
  readonly most: number;
}

export function readApiVersions(answer: WireReader): {
  readonly code: number;
  readonly ranges: readonly VersionRange[];
} {
  const code = answer.int16();
  const ranges = answer.array(limits.kafka.apis, () => ({
    key: answer.int16(),
    least: answer.int16(),
    most: answer.int16(),
  }));
  return { code, ranges };
}

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface TopicPartitions {
  readonly code: number;
  /** By their number; -1: no leader just now. */
  readonly leaders: readonly number[];
}

export interface Metadata {
  readonly brokers: ReadonlyMap<number, BrokerAddress>;
  readonly topic: TopicPartitions;
}

export function metadataRequest(topic: string): readonly Buffer[] {
  const request = new WireWriter();
  request.array([topic], (name) => void request.string(name));
  // A topic that is not there is not made: the name may be a typing error.
  return request.boolean(false).finish();
}

export function readMetadata(answer: WireReader, topic: string): Metadata {
  answer.int32(); // throttled for; the broker sees to it itself
  const brokers = answer.array(limits.kafka.brokers, () => {
    const id = answer.int32();
    const host = answer.string() ?? '';
    const port = answer.int32();
    answer.string(); // rack
    return [id, { host, port }] as const;
  });
  answer.string(); // cluster
  answer.int32(); // controller
  const topics = answer.array(1, () => {
    const code = answer.int16();
    const name = answer.string();
    answer.int8(); // whether it is an inner topic
    const leaders = answer.array(limits.kafka.partitions, () => readPartition(answer));
    return { code, name, leaders };
  });
  const found = topics.find(({ name }) => name === topic);
  const byNumber: number[] = [];
  for (const { index, leader } of found?.leaders ?? [])
    if (index >= 0 && index < limits.kafka.partitions) byNumber[index] = leader;
  const leaders = Array.from(byNumber, (leader) => leader ?? -1);
  return { brokers: new Map(brokers), topic: { code: found?.code ?? 3, leaders } };
}

function readPartition(answer: WireReader): { readonly index: number; readonly leader: number } {
  answer.int16(); // its own error: a missing leader says as much
  const index = answer.int32();
  const leader = answer.int32();
  answer.array(limits.kafka.brokers, () => answer.int32()); // replicas
  answer.array(limits.kafka.brokers, () => answer.int32()); // in sync
  return { index, leader };
}

export function initProducerIdRequest(): readonly Buffer[] {
  return new WireWriter().string(undefined).int32(0).finish();
}

export function readProducerId(answer: WireReader): {
  readonly code: number;
  readonly id: bigint;
  readonly epoch: number;
} {
  answer.int32();
  return { code: answer.int16(), id: answer.int64(), epoch: answer.int16() };
}

/** The records of one partition: a whole record batch, in parts. */
export interface PartitionRecords {
  readonly partition: number;
  readonly records: readonly Buffer[];
}

/** `acks=all`: answered when every replica in sync has them. */
export function produceRequest(
  topic: string,
  ackMs: number,
  partitions: readonly PartitionRecords[],
): readonly Buffer[] {
  const request = new WireWriter().string(undefined).int16(-1).int32(ackMs);
  return request
    .array([topic], (name) => {
      request.string(name).array(partitions, ({ partition, records }) => {
        request.int32(partition).bytes(...records);
      });
    })
    .finish();
}

export interface PartitionAnswer {
  readonly partition: number;
  readonly code: number;
  /** Where the first record stands now; -1: nowhere, or told before. */
  readonly offset: bigint;
}

export function readProduced(answer: WireReader, version: number): readonly PartitionAnswer[] {
  const topics = answer.array(1, () => {
    answer.string();
    return answer.array(limits.kafka.partitions, () => {
      const partition = answer.int32();
      const code = answer.int16();
      const offset = answer.int64();
      answer.int64(); // time of the append
      if (version >= 5) answer.int64(); // where the log starts
      return { partition, code, offset };
    });
  });
  return topics.flat();
}

export function saslHandshakeRequest(mechanism: string): readonly Buffer[] {
  return new WireWriter().string(mechanism).finish();
}

export function readHandshake(answer: WireReader): {
  readonly code: number;
  readonly mechanisms: readonly string[];
} {
  const code = answer.int16();
  return { code, mechanisms: answer.array(limits.kafka.apis, () => answer.string() ?? '') };
}

export function saslAuthenticateRequest(message: Buffer): readonly Buffer[] {
  return new WireWriter().bytes(message).finish();
}

export function readAuthenticated(
  answer: WireReader,
  version: number,
): { readonly code: number; readonly message: Buffer; readonly lifeMs: number } {
  const code = answer.int16();
  answer.string(); // the broker's own words
  const message = answer.bytes() ?? Buffer.alloc(0);
  const lifeMs = version >= 1 ? Number(answer.int64()) : 0;
  return { code, message, lifeMs };
}
