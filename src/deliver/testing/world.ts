/** Everything around delivery for its tests: buffer, clock, receivers that answer as scripted, and books to compare. */
import zlib from 'node:zlib';
import type { StoredBlock } from '../../buffer/index.ts';
import type { Batch, Framing, Sender, SendOutcome } from '../../destinations/index.ts';
import { manualClock } from '../../lib/clock-manual.ts';
import { diagnosticsTo } from '../../lib/diagnostics.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Attempt } from '../../model/delivery.ts';
import { limits } from '../../model/limits.ts';
import type { JobConfig } from '../../model/snapshot.ts';
import type { Content, DeliverLimits, Delivery, KeptLine } from '../contract.ts';
import { createDelivery } from '../delivery.ts';
import { MemoryBuffer } from './memory-buffer.ts';

export interface Received {
  readonly conf: string;
  readonly batch: Omit<Batch, 'body' | 'done'>;
  readonly plain: string;
  readonly lines: readonly string[];
}

/** What a receiver says; a promise that never resolves is a receiver that hangs. */
export type Receiver = (batch: Received, signal: AbortSignal) => SendOutcome | Promise<SendOutcome>;

export const accepts: Receiver = ({ batch }) => ({ kind: 'accepted', receipt: batch.name });

/** Answers only when it is aborted. */
export const hangs: Receiver = (_batch, signal) =>
  new Promise((resolve) => {
    const abort = () => resolve({ kind: 'retry', reason: 'The receiver did not answer in time.' });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });

export class World {
  readonly clock = manualClock();
  readonly buffer = new MemoryBuffer();
  readonly log: string[] = [];
  readonly attempts: Attempt[] = [];
  readonly kept: KeptLine[] = [];
  /** Everything that reached a receiver, in order, accepted or not. */
  readonly sent: Received[] = [];
  /** What was accepted, by name: as an object store holds it. */
  readonly objects = new Map<string, Received>();
  readonly openSenders = new Map<string, number>();
  receiver: Receiver = accepts;
  /** Text that every receiver wants between lines. */
  framing: Framing | undefined;
  content: (job: JobConfig) => Content = () => 'whole';
  contentOf: (job: number, version: number) => JobConfig | undefined = () => undefined;
  openSender: (job: JobConfig) => Promise<Sender> = async (job) => this.#sender(job);
  delivery: Delivery;
  readonly #limits: DeliverLimits;

  constructor(small: Partial<DeliverLimits> = {}) {
    this.#limits = { ...limits.deliver, openPlans: limits.buffer.openPlans, ...small };
    this.delivery = this.#make();
  }

  /** Another delivery over the same buffer, as after a crash: the old one simply is not there any more. */
  restart(): void {
    this.delivery = this.#make();
  }

  /** Runs what can run without time passing. */
  async quiet(): Promise<void> {
    for (let calm = 0; calm < 12; calm += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.delivery.stats().preparing > 0) calm = 0;
    }
  }

  /** Lets time pass, timer by timer, with everything that follows from each. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.monotonicMs() + ms;
    await this.quiet();
    for (;;) {
      const nextMs = this.clock.nextAtMs();
      if (nextMs === undefined || nextMs > until) break;
      this.clock.advance(Math.max(0, nextMs - this.clock.monotonicMs()));
      await this.quiet();
    }
    this.clock.advance(until - this.clock.monotonicMs());
    await this.quiet();
  }

  /** Appends lines received now. */
  add(stream: string, lines: readonly string[], codec: StoredBlock['codec'] = 'raw'): void {
    this.buffer.add(stream, lines, this.clock.wallMs(), codec);
  }

  /** Lines that the receivers hold, in the order of names. */
  delivered(stream?: string): string[] {
    return [...this.objects.values()]
      .filter(({ batch }) => stream === undefined || batch.stream === stream)
      .toSorted((a, b) => a.batch.from - b.batch.from)
      .flatMap(({ lines }) => lines);
  }

  #sender(job: JobConfig): Sender {
    const conf = job.destinationConf;
    this.openSenders.set(conf, (this.openSenders.get(conf) ?? 0) + 1);
    return {
      send: async ({ body, done, ...batch }, signal) => {
        const plain = zlib.gunzipSync(Buffer.concat(body)).toString();
        const lines = plain.split('\n').filter((line) => line !== '');
        const received = { conf, batch, plain, lines };
        this.sent.push(received);
        const outcome = await this.receiver(received, signal);
        done?.();
        if (outcome.kind === 'accepted') this.objects.set(batch.name, received);
        return outcome;
      },
      close: async () => {
        this.openSenders.set(conf, this.openSenders.get(conf)! - 1);
      },
    };
  }

  #make(): Delivery {
    return createDelivery({
      buffer: this.buffer,
      openSender: (job) => this.openSender(job),
      describe: (job) => ({
        fingerprint: `print of ${job.destinationConf}`,
        place: `${job.account} ${job.destinationConf}`,
        ...(this.framing === undefined ? {} : { framing: this.framing }),
      }),
      inflateBlock: async ({ codec, stored }) =>
        codec === 'raw'
          ? stored
          : zlib.inflateRawSync(stored, { finishFlush: zlib.constants.Z_SYNC_FLUSH }),
      compileContent: (job) => this.content(job),
      contentOf: (job, version) => this.contentOf(job, version),
      keepLines: async (lines) => {
        this.kept.push(...lines);
      },
      onAttempt: (attempt) => this.attempts.push(attempt),
      clock: this.clock,
      random: seededRandom(1),
      diagnostics: diagnosticsTo(
        (line) => this.log.push(line),
        () => this.clock.wallMs(),
        'warn',
      ),
      limits: this.#limits,
      intervalMs: 1_000,
    });
  }
}

let versions = 0;

export function jobOf(id: number, changes: Partial<JobConfig> = {}): JobConfig {
  versions += 1;
  return {
    id,
    name: `job ${id}`,
    account: `account-${id}`,
    scope: { kind: 'zone', id: `z${id}` },
    dataset: 'http_requests',
    stream: `zones/z${id}/http_requests`,
    enabled: true,
    destinationConf: `test://receiver-${id}`,
    filter: '',
    outputOptions: null,
    maxUploadBytes: 0,
    maxUploadRecords: 0,
    maxUploadIntervalMs: 0,
    contentVersion: 1,
    version: versions,
    ...changes,
  };
}

/** `count` different lines. */
export function numbered(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${from + index}}`);
}
