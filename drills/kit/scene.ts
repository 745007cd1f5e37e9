/**
 * A small platform to rehearse on: one server, some customers with an account, a zone, a job and a destination of their own
 * each, producers that send their lines, and somebody who watches the control API.
 */
import { join } from 'node:path';

import { Control } from './control.ts';
import { CUSTOMER_DATASET, makeCustomer } from './customer.ts';
import type { Customer, CustomerPlan } from './customer.ts';
import type { Forwarder } from './forwarder.ts';
import { nowMs } from './phases.ts';
import { Probe } from './probe.ts';
import { Producer } from './producer.ts';
import { Receiver } from './receiver.ts';
import { Server } from './server.ts';
import type { ServerOptions } from './server.ts';
import type { Stage } from './stage.ts';
import { duration, number, plural } from './text.ts';

export interface SceneOptions {
  readonly customers: readonly CustomerPlan[];
  /** How often jobs deliver. */
  readonly intervalMs?: number;
  readonly linesPerBody?: number;
  readonly bodiesPerSecond?: number;
  readonly server?: Partial<ServerOptions>;
  /** Done with the started server before there are customers. */
  readonly beforeCustomers?: (server: Server) => Promise<void>;
}

const INTERVAL_MS = 500;

/** The usual cast: `alder` is the one that meets trouble. */
export const THREE: readonly CustomerPlan[] = [
  { zone: 'alder', kind: 'http' },
  { zone: 'brisk', kind: 'http' },
  { zone: 'cobalt', kind: 'folder' },
];

export class Scene {
  readonly stage: Stage;
  readonly server: Server;
  readonly control: Control;
  readonly customers: readonly Customer[];
  readonly producers: readonly Producer[];
  readonly intervalMs: number;
  readonly #probe: Probe;
  #trafficEnded = false;
  #through: ((zone: string) => Forwarder) | undefined;

  private constructor(
    stage: Stage,
    parts: Pick<Scene, 'server' | 'control' | 'customers' | 'intervalMs'>,
    options: SceneOptions,
  ) {
    this.stage = stage;
    this.server = parts.server;
    this.control = parts.control;
    this.customers = parts.customers;
    this.intervalMs = parts.intervalMs;
    this.#probe = new Probe(this.control, stage.phases, [
      '/healthz',
      `/v1/jobs/${this.customers[0]!.job}`,
      '/v1/status',
    ]);
    this.producers = this.customers.map(
      ({ zone, token }) =>
        new Producer({
          zone,
          target: () => {
            const forwarder = this.#through?.(zone);
            return {
              url: `${forwarder?.url ?? this.server.ingestUrl}/v1/ingest/zones/${zone}/${CUSTOMER_DATASET}`,
              headers: forwarder ? {} : { authorization: `Bearer ${token}` },
            };
          },
          linesPerBody: options.linesPerBody ?? 20,
          bodiesPerSecond: options.bodiesPerSecond ?? 20,
          counter: stage.counter,
          phases: stage.phases,
        }),
    );
  }

  /** Sets everything up, and lets one delivered line vanish where the stage asks for it. */
  static async open(stage: Stage, options: SceneOptions): Promise<Scene> {
    const intervalMs = options.intervalMs ?? INTERVAL_MS;
    const server = new Server({
      dataDir: join(stage.folder, 'data'),
      logPath: join(stage.folder, 'server.log'),
      fileRoot: stage.subfolder('delivered'),
      intervalMs,
      ...options.server,
    });
    stage.onEnd(() => server.kill());
    await server.start();
    await options.beforeCustomers?.(server);
    const control = new Control(
      () => server.controlUrl,
      () => server.operatorToken,
    );
    const customers: Customer[] = [];
    for (const plan of options.customers) {
      customers.push(await makeCustomer(stage, control, plan, intervalMs));
    }
    if (stage.takeAway) customers[0]!.destination.takeAway = 1;
    stage.did(
      'set up',
      `a server and ${plural(customers.length, 'customer')}: ${customers.map(({ zone, kind }) => `${zone} (${kind})`).join(', ')}`,
    );
    return new Scene(stage, { server, control, customers, intervalMs }, options);
  }

  readonly customer = (zone: string): Customer => {
    return this.customers.find((one) => one.zone === zone)!;
  };

  /** The HTTP destination of a customer. */
  receiver(zone: string): Receiver {
    const { destination } = this.customer(zone);
    if (!(destination instanceof Receiver)) throw new Error(`${zone} has no receiver`);
    return destination;
  }

  producer(zone: string): Producer {
    return this.producers.find((one) => one.zone === zone)!;
  }

  /** Producers send to a forwarder beside them instead of to the server. */
  sendThrough(forwarder: (zone: string) => Forwarder): void {
    this.#through = forwarder;
  }

  /** A token for forwarders: it may send everybody's lines. */
  async forwarderToken(): Promise<string> {
    const { token } = await this.control.must<{ readonly token: string }>('POST', '/v1/tokens', {
      kind: 'ingest',
      name: 'forwarder',
      scopes: 'all',
    });
    return token;
  }

  /** Lets producers send and begins the quiet phase, or another before it. */
  start(phase = 'quiet'): void {
    this.stage.gauge = () => this.#gauge();
    this.stage.phases.begin(phase);
    for (const producer of this.producers) {
      producer.start();
      this.stage.onEnd(() => producer.abandon());
    }
    this.#probe.start();
    this.stage.onEnd(() => this.#probe.stop());
    this.stage.did(
      'sending',
      `${plural(this.producers.length, 'producer')}, a body every ${duration(1_000 / 20)} each`,
    );
  }

  /** SIGKILL, in mid-stream. Producers go on. */
  async kill(): Promise<void> {
    this.#probe.paused = true;
    await this.server.kill();
  }

  async stop(): Promise<number | string> {
    this.#probe.paused = true;
    return this.server.stop();
  }

  async restart(more: Parameters<Server['start']>[0] = {}): Promise<number> {
    const startedMs = nowMs();
    await this.server.start(more);
    this.#probe.paused = false;
    return nowMs() - startedMs;
  }

  /** Files of folder destinations are counted when they are looked at. */
  look(): void {
    for (const { destination } of this.customers) if ('look' in destination) destination.look();
  }

  /** Producers end; every body is answered, or the drill has failed. */
  async endTraffic(): Promise<void> {
    if (this.#trafficEnded) return;
    this.#trafficEnded = true;
    this.stage.phases.begin('draining');
    let ended = false;
    const ending = Promise.all(this.producers.map((producer) => producer.stop())).then(() => {
      ended = true;
    });
    const answered = await this.stage.until(() => ended, 60_000);
    if (answered === undefined) {
      this.stage.expect(
        'every body is answered once the trouble is over',
        false,
        'not within 60 s',
      );
      for (const producer of this.producers) producer.abandon();
      await ending;
    }
    this.stage.did('draining', 'producers have stopped, every body is answered');
  }

  /**
   * Waits until every line that is owed has arrived.
   *
   * @param mayMiss lines that the drill knows will never come, because they were destroyed or refused
   */
  async settle(mayMiss = 0, atMostMs = 90_000): Promise<void> {
    const { stage } = this;
    const tookMs = await stage.until(() => {
      this.look();
      return stage.counter.missing() <= mayMiss;
    }, atMostMs);
    // One more interval: whatever comes twice comes now.
    await stage.sleep(2 * this.intervalMs + 500);
    this.look();
    if (tookMs === undefined) stage.saw('still missing', plural(stage.counter.missing(), 'line'));
    else stage.did('settled', `${duration(tookMs)} later nothing is owed any more`);
  }

  #gauge() {
    this.look();
    const { answers, control } = this.stage.phases.now;
    const rows = this.stage.counter.progress();
    const owed = rows.reduce((sum, { acked, arrived }) => sum + Math.max(0, acked - arrived), 0);
    const acked = rows.reduce((sum, row) => sum + row.acked, 0);
    const arrived = rows.reduce((sum, row) => sum + row.arrived, 0);
    const times = `answers p99 ${duration(answers.quantileMs(0.99))}, control API p99 ${duration(control.quantileMs(0.99))}`;
    return {
      lines: [
        '',
        `            ${'CUSTOMER'.padEnd(14)}${'PROMISED'.padStart(12)}${'DELIVERED'.padStart(12)}${'OWED'.padStart(12)}`,
        ...rows.map(
          (row) =>
            `            ${row.zone.padEnd(14)}${number(row.acked).padStart(12)}${number(row.arrived).padStart(12)}${number(Math.max(0, row.acked - row.arrived)).padStart(12)}`,
        ),
        `            ${times}${this.server.running ? '' : '; the server is down'}`,
      ],
      plain: `promised ${number(acked)}, delivered ${number(arrived)}, owed ${number(owed)}; ${times}`,
    };
  }
}
