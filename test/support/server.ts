/** The real server as a process of its own, for tests that talk to it by port, signal and file alone. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ServerOptions {
  readonly dataDir: string;
  /** 0: the system chooses. */
  readonly ingestPort?: number;
  readonly controlPort?: number;
  /** Further flags, such as `--deliver-interval-ms`, `300`. */
  readonly flags?: readonly string[];
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** A command line that Node is put behind, such as `strace …`. It must leave the process that is started to Node. */
  readonly under?: readonly string[];
}

export interface Server {
  readonly child: ChildProcess;
  readonly ingestUrl: string;
  readonly controlUrl: string;
  readonly operatorToken: string;
  /** What it has said on standard error so far. */
  log(): string;
  /** Calls the control API as operator (or with `token`); fails the test on an unexpected status. */
  call<T>(method: string, path: string, body?: unknown, token?: string): Promise<T>;
  /** Sends a signal and resolves with the exit code, or the signal's name. */
  end(signal: NodeJS.Signals): Promise<number | string>;
}

/** Starts a server and resolves when it says that it is ready. Rejects with its log when it ends before. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { child, log, exited } = spawnServer(options);
  const said = await greeting(child, exited, log);
  const ingestUrl = /Producers send to +(\S+)\/v1\/ingest/.exec(said)![1]!;
  const controlUrl = /Control API +(\S+)/.exec(said)![1]!;
  const operatorToken = (await readFile(join(options.dataDir, 'operator.token'), 'utf8')).trim();
  return {
    child,
    ingestUrl,
    controlUrl,
    operatorToken,
    log,
    async call<T>(method: string, path: string, body?: unknown, token = operatorToken): Promise<T> {
      const answer = await fetch(`${controlUrl}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    async end(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

/** Starts the process without waiting for anything. */
export function spawnServer({
  dataDir,
  ingestPort = 0,
  controlPort = 0,
  flags = [],
  nodeFlags = [],
  environment = {},
  under = [],
}: ServerOptions) {
  const program = under[0] ?? process.execPath;
  const before = under.length > 0 ? [...under.slice(1), process.execPath] : [];
  const child = spawn(
    program,
    [
      ...before,
      ...nodeFlags,
      MAIN,
      'serve',
      '--data-dir',
      dataDir,
      '--ingest-port',
      String(ingestPort),
      '--control-port',
      String(controlPort),
      ...flags,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...compiledCode(), UV_THREADPOOL_SIZE: '8', ...environment },
    },
  );
  let written = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written = (written + text).slice(-1_000_000);
  });
  const exited = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'gone')),
  );
  return { child, exited, log: () => written };
}

/** Where the launcher has a server keep it: apart, because a server sets flags of V8. */
function compiledCode(): { NODE_COMPILE_CACHE?: string } {
  const folder = process.env['NODE_COMPILE_CACHE'];
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: join(folder, 'serve') };
}

async function greeting(
  child: ChildProcess,
  exited: Promise<number | string>,
  log: () => string,
): Promise<string> {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (/Operator token .*\n/.test(said)) resolve(said);
    });
    void exited.then((code) =>
      reject(new Error(`the server ended (${code}) before it was ready:\n${log()}`)),
    );
  });
}

/** A folder for one test, removed by `remove`. */
export async function temporaryFolder(
  name: string,
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `waybill-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Flags that let tests deliver to this machine. */
export const LOCAL_DESTINATIONS = [
  '--destinations-allow-http',
  'true',
  '--destinations-allow-addresses',
  '127.0.0.0/8,::1/128',
] as const;
