/**
 * What is known of a cluster, and the connections to its brokers: one each, opened when needed, through the guarded dialler
 * like those of every destination, also where the address was learned from the cluster itself.
 */
import { shortText } from '../answer.ts';
import type { BrokerFailure, BrokerTools } from './broker-socket.ts';
import { refusalOf } from './answers.ts';
import { Connection } from './connection.ts';
import { APIS, metadataRequest, readMetadata } from './requests.ts';
import type { BrokerAddress, Metadata } from './requests.ts';
import type { KafkaSettings } from './settings.ts';
import { limits } from '../../model/limits.ts';

export class Cluster {
  readonly #settings: KafkaSettings;
  readonly #tools: BrokerTools;
  /** By address. */
  readonly #connections = new Map<string, Connection>();
  readonly #opening = new Map<string, Promise<Connection | BrokerFailure>>();
  #known: { readonly metadata: Metadata; readonly atMs: number } | undefined;
  #asking: Promise<Metadata | BrokerFailure> | undefined;
  #turn = 0;
  #isClosed = false;

  constructor(settings: KafkaSettings, tools: BrokerTools) {
    this.#settings = settings;
    this.#tools = tools;
  }

  /** Who leads the topic's partitions. */
  async metadata(): Promise<Metadata | BrokerFailure> {
    const nowMs = this.#tools.clock.monotonicMs();
    if (this.#known && nowMs - this.#known.atMs < limits.kafka.metadataMs)
      return this.#known.metadata;
    this.#asking ??= this.#askAround().finally(() => (this.#asking = undefined));
    return await this.#asking;
  }

  /** What is known is out of date. */
  forget(): void {
    this.#known = undefined;
  }

  /** A connection to a broker that the cluster has named. */
  async broker(metadata: Metadata, id: number): Promise<Connection | BrokerFailure> {
    const address = metadata.brokers.get(id);
    if (address === undefined) return failed(`the cluster names no address of broker ${id}`);
    return await this.#connect(address);
  }

  /** Any broker, for what all of them can do. */
  async anyBroker(): Promise<Connection | BrokerFailure> {
    const open = [...this.#connections.values()].find(({ isUsable }) => isUsable);
    if (open) return open;
    const { brokers } = this.#settings;
    let last: BrokerFailure = failed('no broker is named');
    for (let tries = 0; tries < brokers.length; tries += 1) {
      const address = brokers[this.#turn % brokers.length];
      const connection = address ? await this.#connect(address) : last;
      if (connection instanceof Connection) return connection;
      last = connection;
      this.#turn += 1;
    }
    return last;
  }

  /** Ends everything that is under way; what is asked then fails with `reason`. */
  cut(reason: string): void {
    for (const connection of this.#connections.values()) connection.destroy(reason);
    this.#connections.clear();
  }

  close(): void {
    this.#isClosed = true;
    this.cut('the attempt was stopped');
  }

  async #askAround(): Promise<Metadata | BrokerFailure> {
    // A connection that had rested may turn out dead: then the next one is asked.
    for (let tries = 0; ; tries += 1) {
      const connection = await this.anyBroker();
      if (!(connection instanceof Connection)) return connection;
      const { topic } = this.#settings;
      const answer = await connection.ask(APIS.metadata, metadataRequest(topic), (reader) =>
        readMetadata(reader, topic),
      );
      if (answer.kind === 'failed') {
        if (answer.isStale && tries < 2) continue;
        return answer;
      }
      const metadata = answer.value;
      const { code, leaders } = metadata.topic;
      if (code !== 0) return failed(refusalOf(code).reason);
      if (leaders.length === 0) return failed('the topic has no partitions');
      this.#known = { metadata, atMs: this.#tools.clock.monotonicMs() };
      return metadata;
    }
  }

  async #connect(address: BrokerAddress): Promise<Connection | BrokerFailure> {
    const key = `${address.host}:${address.port}`;
    const known = this.#connections.get(key);
    if (known?.isUsable) return known;
    this.#connections.delete(key);
    const under = this.#opening.get(key);
    if (under) return await under;
    const opening = this.#open(address, key).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return await opening;
  }

  async #open(address: BrokerAddress, key: string): Promise<Connection | BrokerFailure> {
    const { host, port } = address;
    if (host === '' || port < 1 || port > 65_535)
      return failed('the cluster names a broker without an address');
    const { secure, login, certificates } = this.#settings;
    const target = { secure, ...address, ...(certificates ? { certificates } : {}) };
    const connection = await Connection.open(target, login, this.#tools);
    if (!(connection instanceof Connection))
      return { ...connection, reason: `broker ${shortText(key)}: ${connection.reason}` };
    if (this.#isClosed) {
      connection.destroy('the attempt was stopped');
      return failed('the attempt was stopped');
    }
    this.#makeRoom();
    this.#connections.set(key, connection);
    return connection;
  }

  #makeRoom(): void {
    for (const [key, { isUsable }] of this.#connections)
      if (!isUsable) this.#connections.delete(key);
    if (this.#connections.size < limits.kafka.connections) return;
    for (const [key, connection] of this.#connections) {
      if (!connection.isIdle) continue;
      connection.destroy('the connection was closed');
      this.#connections.delete(key);
      return;
    }
  }
}

function failed(reason: string): BrokerFailure {
  return { kind: 'failed', reason, isStale: false };
}
