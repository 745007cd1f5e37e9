/** Producers: they send at a steady rate, repeat what was not answered, and remember every line that was promised. */
import { setTimeout as sleep } from 'node:timers/promises';

import { createProducer } from '../src/client/index.ts';
import type { BodyResult, Producer } from '../src/client/index.ts';
import { DATASET, ZONES } from './cast.ts';
import type { Zone } from './cast.ts';
import { LineMaker } from './lines.ts';

const TICK_MS = 50;
const PRODUCERS_PER_ZONE = 2;

export interface TrafficOptions {
  readonly ingestUrl: string;
  readonly rate: number;
  /** An ingest token by zone. */
  readonly tokens: ReadonlyMap<string, string>;
}

export class Traffic {
  /** Bodies of which every line was accepted, by zone. */
  readonly promised = new Map<string, Buffer[]>(ZONES.map(({ id }) => [id, []]));
  promisedLines = 0;
  /** Bodies whose answer did not come, or that were to be sent later. */
  retries = 0;
  /** Bodies that the server had stored before it could say so. */
  recognised = 0;
  /** Lines that the server does not want or will not take. There should be none. */
  refusedLines = 0;
  refusal = '';
  readonly #producers: {
    readonly zone: Zone;
    readonly producer: Producer;
    readonly maker: LineMaker;
  }[];
  readonly #rate: number;
  #sending: Promise<unknown> | undefined;
  #stopped = false;

  constructor({ ingestUrl, rate, tokens }: TrafficOptions) {
    this.#rate = rate;
    this.#producers = ZONES.flatMap((zone, at) =>
      Array.from({ length: PRODUCERS_PER_ZONE }, (_, index) => ({
        zone,
        maker: new LineMaker(zone.host, at * PRODUCERS_PER_ZONE + index + 1),
        producer: createProducer({
          url: ingestUrl,
          token: tokens.get(zone.id)!,
          target: { scope: { kind: 'zone', id: zone.id }, dataset: DATASET },
          compression: 'gzip',
          bodyBytes: 128 * 1024,
          lingerMs: 150,
          timeoutMs: 10_000,
          onResult: (result) => this.#decided(zone, result),
          onRetry: () => (this.retries += 1),
        }),
      })),
    );
  }

  get producers(): number {
    return this.#producers.length;
  }

  start(): void {
    this.#sending = Promise.all(
      this.#producers.map(({ zone, producer, maker }) =>
        this.#send(producer, maker, (this.#rate * zone.share) / PRODUCERS_PER_ZONE),
      ),
    );
  }

  /** Stops making lines; resolves when every line that was made has its answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#sending;
    await Promise.all(this.#producers.map(({ producer }) => producer.close()));
  }

  async #send(producer: Producer, maker: LineMaker, rate: number): Promise<void> {
    const startMs = performance.now();
    let due = 0;
    let last = startMs;
    while (!this.#stopped) {
      const now = performance.now();
      // Traffic breathes a little.
      due += (rate * (now - last) * (1 + 0.25 * Math.sin((now - startMs) / 1_900))) / 1_000;
      last = now;
      let lines = '';
      for (; due >= 1; due -= 1) lines += maker.next(Date.now());
      await producer.write(lines);
      await sleep(TICK_MS);
    }
  }

  #decided(zone: Zone, result: BodyResult): void {
    if (result.kind === 'taken' && result.accepted === result.lines) {
      this.promised.get(zone.id)!.push(result.body);
      this.promisedLines += result.lines;
      const stored = result.streams as readonly { readonly repeat?: boolean }[];
      if (stored.some(({ repeat }) => repeat)) this.recognised += 1;
      return;
    }
    this.refusedLines += result.lines;
    this.refusal = result.error?.message ?? `${result.unwanted} lines unwanted`;
  }
}
