/** `waybill forward`, on a port that stays its own over all its lives. */
import { Process } from './process.ts';
import type { Stage } from './stage.ts';

export interface ForwarderOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly logPath: string;
  readonly token: string;
  readonly receiverUrl: string;
  readonly wantedUrl: string;
  readonly flags?: readonly string[];
}

/** What its `/v1/status` says, as far as drills look. */
export interface ForwarderStatus {
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly wanted: {
    readonly state: 'current' | 'last_good' | 'none';
    readonly streams: number | null;
    readonly problem: string | null;
    readonly refused: number;
  };
  readonly spool: { readonly waitingLines: number };
  readonly lines: {
    readonly accepted: number;
    readonly delivered: number;
    readonly unwanted: number;
  };
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  #process: Process | undefined;
  #listenUrl: string | undefined;
  #statusUrl: string | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Starts one that ends with the drill. */
  static async start(stage: Stage, options: ForwarderOptions): Promise<Forwarder> {
    const forwarder = new Forwarder(options);
    stage.onEnd(() => forwarder.kill());
    await forwarder.start();
    return forwarder;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Where producers send to. */
  get url(): string {
    return this.#listenUrl!;
  }

  async start(): Promise<void> {
    const { dataDir, logPath, token, receiverUrl, wantedUrl, flags = [] } = this.#options;
    const settings = Object.entries({
      'data-dir': dataDir,
      'receiver-urls': receiverUrl,
      'wanted-url': wantedUrl,
      'wanted-wait-ms': '1000',
      'deliver-interval-ms': '200',
      'listen-port': this.#listenUrl === undefined ? '0' : new URL(this.#listenUrl).port,
      'status-port': '0',
    }).flatMap(([name, value]) => [`--${name}`, value]);
    this.#process = new Process({
      args: ['forward', ...settings, ...flags],
      logPath,
      environment: { WAYBILL_TOKEN: token },
    });
    await this.#process.ready(/Lines go to .*\n/);
    const { said } = this.#process;
    this.#listenUrl = /Producers send to +(https?:\/\/[^/\s]+)/.exec(said)![1]!;
    this.#statusUrl = /Status +(\S+)/.exec(said)![1]!;
  }

  async kill(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  async stop(): Promise<number | string> {
    return (await this.#process?.end('SIGTERM')) ?? 'gone';
  }

  async status(): Promise<ForwarderStatus> {
    const answer = await fetch(`${this.#statusUrl}/v1/status`, {
      signal: AbortSignal.timeout(10_000),
    });
    return (await answer.json()) as ForwarderStatus;
  }
}
