/** The product, known by its process, its ports, its signals and its files alone. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const LAUNCHER = resolve(import.meta.dirname, '../bin/waybill.mjs');

export interface Folders {
  readonly root: string;
  /** Waybill's own. */
  readonly data: string;
  /** What file destinations may write below. */
  readonly delivered: string;
}

/** How a server is reached; the same over all its lives. */
export interface Addresses {
  readonly ingestUrl: string;
  readonly controlUrl: string;
}

export class Server {
  readonly #folders: Folders;
  #child: ChildProcess | undefined;
  #addresses: Addresses | undefined;

  constructor(folders: Folders) {
    this.#folders = folders;
  }

  get addresses(): Addresses {
    if (!this.#addresses) throw new Error('the server has not been started');
    return this.#addresses;
  }

  get logPath(): string {
    return join(this.#folders.root, 'server.log');
  }

  get tokenPath(): string {
    return join(this.#folders.data, 'operator.token');
  }

  /** Starts it, on the ports that it had before. Resolves when it takes lines. */
  async start(): Promise<void> {
    const { data, delivered } = this.#folders;
    const port = (url: string | undefined) => (url === undefined ? '0' : new URL(url).port);
    const flags = {
      'data-dir': data,
      'ingest-port': port(this.#addresses?.ingestUrl),
      'control-port': port(this.#addresses?.controlUrl),
      'deliver-interval-ms': '1000',
      'destinations-allow-http': 'true',
      'destinations-allow-addresses': '127.0.0.0/8,::1/128',
      'destinations-file-roots': delivered,
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    const log = openSync(this.logPath, 'a');
    const child = spawn(process.execPath, [LAUNCHER, 'serve', ...args], {
      stdio: ['ignore', 'pipe', log],
    });
    closeSync(log);
    this.#child = child;
    this.#addresses = await greetingOf(child, this.logPath);
    child.stdout?.resume();
  }

  /** SIGKILL: no handler runs, nothing is flushed. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM: ends what is under way. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

async function greetingOf(child: ChildProcess, logPath: string): Promise<Addresses> {
  let ingestUrl: string | undefined;
  for await (const line of createInterface(child.stdout!)) {
    ingestUrl ??= /Producers send to +(https?:\/\/[^/\s]+)/.exec(line)?.[1];
    const controlUrl = /Control API +(https?:\/\/[^/\s]+)/.exec(line)?.[1];
    if (ingestUrl !== undefined && controlUrl !== undefined) return { ingestUrl, controlUrl };
  }
  const said = readFileSync(logPath, 'utf8').trim().split('\n').slice(-3).join('\n');
  throw new Error(`the server did not start:\n${said}`);
}

/** Runs a command of the product and reads what it prints with `--json`. */
export async function runJson<T>(
  args: readonly string[],
): Promise<{ readonly code: number; readonly json: T }> {
  const child = spawn(process.execPath, [LAUNCHER, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, said] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const code = child.exitCode ?? ((await once(child, 'exit')) as [number])[0];
  if (out === '') throw new Error(`waybill ${args.join(' ')} ended with ${code}: ${said.trim()}`);
  return { code, json: JSON.parse(out) as T };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString('utf8');
}
