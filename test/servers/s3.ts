/**
 * An S3 server for tests and the demo: versitygw from the Go module proxy where it is built already or may be built, else
 * the strict stand-in of `s3-stand-in.ts`. Both keep objects as plain files below `folder`, so that whoever checks what
 * arrived needs no S3.
 *
 * `WAYBILL_TEST_SERVERS` says what may be done: `build` (takes some minutes once; the long suite sets it), `stand-in` (do
 * not even look for a server). The binary is kept in `.cache/servers/`, which is not part of the project.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const VERSION = '1.8.0';
const CACHE = resolve(import.meta.dirname, '../../.cache/servers', `versitygw-${VERSION}`);
const BINARY = join(CACHE, 'versitygw');
const MODULE = `github.com/versity/versitygw/cmd/versitygw@v${VERSION}`;

export interface RunningS3 {
  /** Which one it is: `versitygw 1.8.0` or `stand-in`, and why. */
  readonly what: string;
  readonly real: boolean;
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
  /** Holds the bucket's objects as files. */
  readonly folder: string;
  readonly pid: number;
  /** Objects by key, whole ones only. */
  objects(): Promise<Map<string, Buffer>>;
  /** Ends the server. Its objects go too, unless the folder was given. */
  stop(): Promise<void>;
}

export interface S3Options {
  /** Where objects are kept; given again, they are there again. Absent: a temporary folder. */
  readonly folder?: string;
  readonly port?: number;
  readonly bucket?: string;
}

const REGION = 'us-east-1';
const ACCESS_KEY = 'waybilltest';
/** With the characters that go wrong when a secret is not escaped. */
const SECRET_KEY = 'test/secret+with=signs';

export async function startS3(
  options: S3Options = {},
): Promise<RunningS3 | { readonly skipped: string }> {
  const temporary =
    options.folder === undefined ? await mkdtemp(join(tmpdir(), 'waybill-s3-')) : undefined;
  const folder = options.folder ?? join(temporary ?? '', 'objects');
  const bucket = options.bucket ?? 'waybill-logs';
  await mkdir(join(folder, bucket), { recursive: true });
  const real = await findServer();
  const started =
    real === 'ready'
      ? await startServer(folder, options.port)
      : await startStandIn(folder, options.port ?? 0, real);
  if ('skipped' in started) {
    if (temporary) await rm(temporary, { recursive: true, force: true });
    return started;
  }
  const { child, port, what } = started;
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  return {
    what,
    real: real === 'ready',
    endpoint: `http://127.0.0.1:${port}`,
    region: REGION,
    accessKey: ACCESS_KEY,
    secretKey: SECRET_KEY,
    bucket,
    folder,
    pid: child.pid ?? 0,
    objects: () => objectsBelow(join(folder, bucket)),
    async stop() {
      process.off('exit', end);
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.ref();
        child.kill('SIGKILL');
        await ended;
      }
      if (temporary) await rm(temporary, { recursive: true, force: true });
    },
  };
}

/** `ready`, or why there is no real server. */
async function findServer(): Promise<string> {
  const wish = process.env['WAYBILL_TEST_SERVERS'] ?? '';
  if (wish === 'stand-in') return 'asked for';
  if (existsSync(BINARY)) return 'ready';
  if (wish !== 'build') return 'no server is built; WAYBILL_TEST_SERVERS=build builds one';
  try {
    await mkdir(CACHE, { recursive: true });
    // One package at a time: a small machine does not hold more.
    const env = { ...process.env, GOBIN: CACHE, GOFLAGS: '-p=1 -buildvcs=false' };
    await promisify(execFile)('go', ['install', MODULE], { env, maxBuffer: 16 * 1024 * 1024 });
    return existsSync(BINARY) ? 'ready' : 'the build left no binary';
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return missing ? 'there is no go to build a server with' : 'the server could not be built';
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly port: number;
  readonly what: string;
}

/** First as it likes best; on a file system without extended attributes it keeps what it knows of objects in files. */
async function startServer(folder: string, port?: number): Promise<Started | { skipped: string }> {
  const sidecar = `${folder}.meta`;
  await mkdir(sidecar, { recursive: true });
  for (const backend of [
    ['posix', folder],
    ['posix', '--sidecar', sidecar, folder],
  ]) {
    const free = port ?? (await freePort());
    const started = await tryServer(backend, free);
    if (started) return { child: started, port: free, what: `versitygw ${VERSION}` };
  }
  return { skipped: `versitygw ${VERSION} does not start` };
}

async function tryServer(
  backend: readonly string[],
  port: number,
): Promise<ChildProcess | undefined> {
  const address = `127.0.0.1:${port}`;
  const keys = ['--access', ACCESS_KEY, '--secret', SECRET_KEY, '--region', REGION];
  const flags = ['--port', address, ...keys, '--keep-alive', '--quiet', '--health', '/health'];
  const child = spawn(BINARY, [...flags, ...backend], { stdio: 'ignore' });
  child.on('error', () => {});
  for (let tries = 0; tries < 200 && child.exitCode === null; tries += 1) {
    const health = await fetch(`http://${address}/health`).catch(() => undefined);
    await health?.arrayBuffer();
    if (health?.ok) {
      child.unref();
      return child;
    }
    await sleep(50);
  }
  child.kill('SIGKILL');
  return undefined;
}

async function startStandIn(folder: string, port: number, why: string): Promise<Started> {
  const program = join(import.meta.dirname, 's3-stand-in.ts');
  const args = [program, folder, ACCESS_KEY, SECRET_KEY, REGION, String(port)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout)) {
    const told = JSON.parse(line) as { readonly port: number };
    // Nothing of it keeps the process that started it alive.
    child.unref();
    child.stdout.destroy();
    (child.stdin as Socket).unref();
    return { child, port: told.port, what: `stand-in (${why})` };
  }
  throw new Error('the stand-in for S3 ended before it listened');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function objectsBelow(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const objects = new Map<string, Buffer>();
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const key = relative(folder, path);
    // Both servers keep what is unfinished under names that begin with a dot.
    if (!entry.isFile() || key.split('/').some((part) => part.startsWith('.'))) continue;
    objects.set(key, await readFile(path));
  }
  return objects;
}
