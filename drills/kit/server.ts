/** `waybill serve`, on free ports that stay its own over all its lives. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Process } from './process.ts';
import type { ProcessOptions } from './process.ts';

export interface ServerOptions {
  readonly dataDir: string;
  readonly logPath: string;
  readonly intervalMs: number;
  /** Further flags, such as `--buffer-holdback-ms`, `0`. */
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly nodeFlags?: readonly string[];
  readonly under?: readonly string[];
  /** What file destinations may write below. */
  readonly fileRoot: string;
  /** Where the data folder is seen from here, when the server lives in a world of its own. */
  readonly seenAt?: (path: string, pid: number) => string;
}

export class Server {
  readonly #options: ServerOptions;
  #process: Process | undefined;
  #addresses: { readonly ingest: string; readonly control: string } | undefined;
  #token: string | undefined;
  /** What all earlier lives said on standard error. */
  #earlier = '';

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  get ingestUrl(): string {
    return this.#addresses!.ingest;
  }

  get controlUrl(): string {
    return this.#addresses!.control;
  }

  get dataDir(): string {
    return this.#options.dataDir;
  }

  /** The operator's token, which the first start made. */
  get operatorToken(): string {
    return this.#token!;
  }

  /** What it has said on standard error, in all its lives. */
  get log(): string {
    return this.#earlier + (this.#process?.log ?? '');
  }

  get running(): boolean {
    return this.#process?.running ?? false;
  }

  get residentBytes(): number | undefined {
    return this.#process?.residentBytes;
  }

  get pid(): number | undefined {
    return this.#process?.child.pid;
  }

  /** Starts it and resolves when it takes lines. Rejects with `NotStarted` when it does not want to. */
  async start(
    more: Partial<Pick<ServerOptions, 'flags' | 'environment' | 'nodeFlags'>> = {},
  ): Promise<void> {
    const { dataDir, logPath, intervalMs, fileRoot, flags = [], seenAt, ...how } = this.#options;
    const port = (url: string | undefined) => (url === undefined ? '0' : new URL(url).port);
    const settings = Object.entries({
      'data-dir': dataDir,
      'ingest-port': port(this.#addresses?.ingest),
      'control-port': port(this.#addresses?.control),
      'deliver-interval-ms': String(intervalMs),
      'destinations-allow-http': 'true',
      'destinations-allow-addresses': '127.0.0.0/8,::1/128',
      'destinations-file-roots': fileRoot,
    }).flatMap(([name, value]) => [`--${name}`, value]);
    const options: ProcessOptions = {
      ...how,
      ...more,
      environment: { ...how.environment, ...more.environment },
      logPath,
      args: ['serve', ...settings, ...flags, ...(more.flags ?? [])],
    };
    const started = new Process(options);
    // From now on it can be killed.
    this.#process = started;
    await started.ready(/Operator token .*\n/);
    this.#addresses = {
      ingest: /Producers send to +(https?:\/\/[^/\s]+)/.exec(started.said)![1]!,
      control: /Control API +(https?:\/\/[^/\s]+)/.exec(started.said)![1]!,
    };
    const folder = seenAt ? seenAt(dataDir, started.child.pid!) : dataDir;
    this.#token ??= readFileSync(join(folder, 'operator.token'), 'utf8').trim();
  }

  /** SIGKILL: no handler runs, nothing is flushed. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM: ends what is under way. */
  async stop(): Promise<number | string> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<number | string> {
    const code = (await this.#process?.end(signal)) ?? 'gone';
    this.#earlier = this.log.slice(-2_000_000);
    this.#process = undefined;
    return code;
  }
}
