/**
 * One job per stream: what keeps a stream's lines until a receiver has them. A job is made when its stream's first line
 * comes, and durable before that line is; while there is no wanted set it keeps lines and sends none.
 */
import type { ShardBuffer } from '../buffer/index.ts';
import type { Delivery } from '../deliver/index.ts';
import { parseStreamKey } from '../model/scope.ts';
import type { StreamKey } from '../model/scope.ts';
import type { JobConfig } from '../model/snapshot.ts';
import type { WantedSet } from '../model/wanted-set.ts';

export interface JobsDeps {
  readonly buffer: ShardBuffer;
  readonly delivery: Delivery;
}

export class StreamJobs {
  readonly #deps: JobsDeps;
  /** Jobs that may send, by stream. */
  readonly #sending = new Map<string, JobConfig>();
  /** Every job that has an id, by stream. */
  readonly #ids = new Map<string, number>();
  /** Streams whose job is being opened. */
  readonly #opening = new Map<string, Promise<boolean>>();
  #lastId = 0;
  #set: WantedSet | undefined;
  #accounts: ReadonlyMap<string, string> = new Map();
  #version = 0;
  #applying: Promise<void> | undefined;
  #applyAgain: Promise<void> | undefined;

  constructor(deps: JobsDeps) {
    this.#deps = deps;
    for (const { job, stream } of deps.buffer.jobs()) {
      // The buffer's own jobs have negative ids.
      if (job <= 0) continue;
      this.#ids.set(stream, job);
      this.#lastId = Math.max(this.#lastId, job);
    }
  }

  /** Streams that have a job, open or held back. */
  get count(): number {
    return this.#ids.size;
  }

  /** Puts a set in force: jobs of streams that are in it send, others are closed and their lines held back. */
  async use(set: WantedSet): Promise<void> {
    this.#set = set;
    this.#accounts = new Map(set.streams.map(({ stream, account }) => [stream, account]));
    for (const stream of this.#sending.keys())
      if (!this.#accounts.has(stream)) this.#sending.delete(stream);
    for (const [stream, id] of this.#ids) {
      const account = this.#accounts.get(stream);
      if (account === undefined || this.#sending.has(stream)) continue;
      this.#sending.set(stream, jobOf(id, stream as StreamKey, account));
    }
    await this.#apply();
  }

  /** @returns whether the stream's job is durable, so that lines may be accepted */
  ensure(stream: string, account: string): boolean | Promise<boolean> {
    if (this.#isOpen(stream)) return true;
    const under = this.#opening.get(stream);
    if (under !== undefined) return under;
    const opening = this.#open(stream as StreamKey, account).finally(() =>
      this.#opening.delete(stream),
    );
    this.#opening.set(stream, opening);
    return opening;
  }

  #isOpen(stream: string): boolean {
    const id = this.#ids.get(stream);
    if (id === undefined || (this.#set !== undefined && !this.#sending.has(stream))) return false;
    return this.#deps.buffer.job(id)?.closedMs === null;
  }

  async #open(stream: StreamKey, account: string): Promise<boolean> {
    const id = this.#ids.get(stream) ?? ++this.#lastId;
    this.#ids.set(stream, id);
    if (this.#set === undefined) {
      const opened = await this.#deps.buffer.openJob(id, stream, account, 'oldest');
      return opened.kind === 'durable';
    }
    // It may have left the set since it was asked for.
    const owner = this.#accounts.get(stream);
    if (owner === undefined) return false;
    this.#sending.set(stream, jobOf(id, stream, owner));
    await this.#apply();
    return this.#isOpen(stream);
  }

  /** Many that ask at once share one application. */
  #apply(): Promise<void> {
    if (this.#applying === undefined) return (this.#applying = this.#applyNow());
    return (this.#applyAgain ??= this.#applying.then(() => {
      this.#applyAgain = undefined;
      return (this.#applying = this.#applyNow());
    }));
  }

  async #applyNow(): Promise<void> {
    // Lets those that come in this turn be part of it.
    await Promise.resolve();
    try {
      await this.#deps.delivery.apply([...this.#sending.values()], ++this.#version);
    } finally {
      if (this.#applyAgain === undefined) this.#applying = undefined;
    }
  }
}

function jobOf(id: number, stream: StreamKey, account: string): JobConfig {
  const { scope, dataset } = parseStreamKey(stream)!;
  return {
    id,
    name: stream,
    account,
    scope,
    dataset,
    stream,
    enabled: true,
    // The receivers are the forwarder's own, the same for all.
    destinationConf: 'waybill://receivers',
    filter: '',
    outputOptions: null,
    maxUploadBytes: 0,
    maxUploadRecords: 0,
    maxUploadIntervalMs: 0,
    contentVersion: 1,
    version: 1,
  };
}
