/** A `waybill serve` of its own for one measurement, and its control API. */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../bin/waybill.mjs', import.meta.url));
const READY_MS = 120_000;

export interface ServerOptions {
  /** Its folder; what is in it already is used again. */
  readonly dir: string;
  /** Flags of `waybill serve` beyond ports and folder. */
  readonly flags?: readonly string[];
  /** Flags of Node itself, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[];
}

export interface BenchServer {
  readonly pid: number;
  readonly ingestPort: number;
  readonly controlPort: number;
  /** From the start of the process until it accepted lines. */
  readonly readyMs: number;
  /** Calls the control API; throws on a refusal. */
  call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  /** The metrics whose names match, as name and value. */
  metrics(name: RegExp): Promise<ReadonlyMap<string, number>>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a server that may deliver to loopback, and waits until it accepts lines. */
export async function startServer({
  dir,
  flags = [],
  nodeFlags = [],
}: ServerOptions): Promise<BenchServer> {
  mkdirSync(dir, { recursive: true });
  const data = join(dir, 'data');
  const [ingestPort, controlPort] = await freePorts(2);
  const began = performance.now();
  const ports = ['--ingest-port', String(ingestPort), '--control-port', String(controlPort)];
  const loopback = [
    '--destinations-allow-http',
    'true',
    '--destinations-allow-addresses',
    '127.0.0.0/8',
  ];
  const child = spawn(
    process.execPath,
    [...nodeFlags, LAUNCHER, 'serve', '--data-dir', data, ...ports, ...loopback, ...flags],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = createWriteStream(join(dir, 'waybill.log'), { flags: 'a' });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  process.on('exit', () => child.kill('SIGKILL'));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const api = `http://127.0.0.1:${controlPort}`;
  while (!(await fetch(`${api}/readyz`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null || performance.now() - began > READY_MS) {
      throw new Error(`waybill does not get ready; see ${join(dir, 'waybill.log')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const readyMs = performance.now() - began;
  const operator = readFileSync(join(data, 'operator.token'), 'utf8').trim();
  const ask = (method: string, path: string, body?: unknown) =>
    fetch(`${api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${operator}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return {
    pid: child.pid!,
    ingestPort: ingestPort!,
    controlPort: controlPort!,
    readyMs,
    async call(method, path, body) {
      const answer = await ask(method, path, body);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return JSON.parse(text === '' ? '{}' : text) as Record<string, unknown>;
    },
    async metrics(name) {
      const text = await (await ask('GET', '/metrics')).text();
      const rows = text.split('\n').filter((line) => !line.startsWith('#') && name.test(line));
      return new Map(
        rows.map((line) => {
          const space = line.lastIndexOf(' ');
          return [line.slice(0, space), Number(line.slice(space + 1))] as const;
        }),
      );
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await exited;
    },
  };
}

/** An account with one zone, one whole-line job to `destination`, and a token that may send. */
export async function oneJob(server: BenchServer, destination: string): Promise<string> {
  await server.call('PUT', '/v1/accounts/bench', { name: 'bench' });
  await server.call('PUT', '/v1/zones/bench', { account: 'bench', name: 'bench.example' });
  await server.call('POST', '/client/v4/zones/bench/logpush/jobs', {
    dataset: 'http_requests',
    enabled: true,
    destination_conf: destination,
  });
  return await ingestToken(server);
}

/** One account with so many zones, each with a whole-line job. @returns the zones' ids */
export async function zonesWithJobs(
  server: BenchServer,
  count: number,
  destination: string,
): Promise<string[]> {
  await server.call('PUT', '/v1/accounts/bench', { name: 'bench' });
  const zones = Array.from({ length: count }, (_, n) => `z${n}`);
  for (const zone of zones) {
    await server.call('PUT', `/v1/zones/${zone}`, { account: 'bench', name: `${zone}.example` });
    await server.call('POST', `/client/v4/zones/${zone}/logpush/jobs`, {
      dataset: 'http_requests',
      enabled: true,
      destination_conf: destination,
    });
  }
  return zones;
}

/** A token that may send for everybody. */
export async function ingestToken(server: BenchServer): Promise<string> {
  const made = await server.call('POST', '/v1/tokens', {
    kind: 'ingest',
    name: 'bench',
    scopes: 'all',
  });
  return String(made['token']);
}

async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = held.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
