/** The product, known by its processes, ports, signals and files alone. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const LAUNCHER = resolve(import.meta.dirname, '../../bin/waybill.mjs');

/** Of a process's log this much is kept in memory. */
const LOG_CHARACTERS = 2_000_000;
/** Far more than a start takes on a machine that has other work to do. */
const START_MS = 120_000;

export interface ProcessOptions {
  readonly args: readonly string[];
  /** Its standard error is also written here. */
  readonly logPath: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  /** A command line that it is put behind. It must leave its own process to Node. */
  readonly under?: readonly string[];
}

/** A running command of the product. */
export class Process {
  readonly child: ChildProcess;
  /** Resolves with the exit code or the signal's name. */
  readonly ended: Promise<number | string>;
  #log = '';
  #said = '';

  constructor({ args, logPath, environment, nodeFlags = [], under = [] }: ProcessOptions) {
    const command = [...under, process.execPath, ...nodeFlags, LAUNCHER, ...args];
    this.child = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    const file = createWriteStream(logPath, { flags: 'a' });
    file.on('error', () => {});
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      file.write(text);
      this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
    });
    this.ended = new Promise((done) => {
      this.child.once('error', (error) => done(error.message));
      this.child.once('close', (code, signal) => {
        file.end();
        done(code ?? signal ?? 'gone');
      });
    });
  }

  /** What it has said on standard error so far. */
  get log(): string {
    return this.#log;
  }

  /** What it said on standard output until it was ready. */
  get said(): string {
    return this.#said;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Sends a signal and resolves when the process has ended. */
  async end(signal: NodeJS.Signals): Promise<number | string> {
    if (this.running) this.child.kill(signal);
    return this.ended;
  }

  /** Memory that the process holds, where the system tells; undefined elsewhere. */
  get residentBytes(): number | undefined {
    try {
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(
        readFileSync(`/proc/${this.child.pid}/status`, 'utf8'),
      )?.[1];
      return kib === undefined ? undefined : Number(kib) * 1024;
    } catch {
      return undefined;
    }
  }

  /** Resolves when it says that it is ready; rejects with `NotStarted` when it ends before. */
  async ready(greeting: RegExp): Promise<void> {
    const late = setTimeout(() => this.child.kill('SIGKILL'), START_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
          if (this.#said.length < LOG_CHARACTERS) this.#said += text;
          if (greeting.test(this.#said)) resolve();
        });
        void this.ended.then((code) => reject(new NotStarted(code, this.#log)));
      });
    } finally {
      clearTimeout(late);
    }
  }
}

/** A command ended before it was ready. */
export class NotStarted extends Error {
  readonly log: string;

  constructor(code: number | string, log: string) {
    super(`it ended (${code}) before it was ready: ${telling(log)}`);
    this.log = log;
  }
}

/** The last thing that the product said in its own words, or where it broke. */
function telling(log: string): string {
  const lines = log.trim().split('\n');
  const said = lines.findLast((line) => line.startsWith('waybill: '));
  const broke = lines.find((line) => /^\w*Error\b/.test(line));
  return said ?? broke ?? lines.at(-1) ?? '';
}

/** Runs a command of the product to its end. */
export async function runCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly out: string; readonly said: string }> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let out = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const code = await new Promise<number>((done, failed) => {
    child.once('error', failed);
    child.once('close', (status) => done(status ?? -1));
  });
  return { code, out, said };
}
