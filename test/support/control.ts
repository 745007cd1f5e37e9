/** A control room on a temporary folder, with a data plane that says what a test wants, for tests of the API. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openControl } from '../../src/control/index.ts';
import type { Control, ControlDeps, DataPlane } from '../../src/control/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { diagnosticsTo } from '../../src/lib/diagnostics.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { NO_LINES } from '../../src/model/delivery.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';

/** A data plane without lines. */
export function idleDataPlane(): DataPlane {
  const row = {
    hour: null,
    accepted: 0,
    acceptedBytes: 0,
    waiting: 0,
    delivered: 0,
    excluded: {},
    dropped: {},
    notTaken: {},
    balanced: true,
  };
  return {
    live: {
      create: () => ({ kind: 'full' }),
      ofZone: () => undefined,
      admit: () => 404,
      attach: () => undefined,
    },
    pull: {
      admit: () => true,
      received: () => Promise.resolve({ kind: 'unknown' }),
      ray: () => Promise.resolve({ kind: 'unknown' }),
    },
    lines: {
      place: () => Promise.resolve({ kind: 'place', place: null, oldest: 0, head: 0 }),
      holds: () => Promise.resolve([]),
      erasable: () => Promise.resolve({ streams: [], waitingLines: 0, keptLines: 0 }),
      erase: () => Promise.resolve({ streams: [], waitingLines: 0, keptLines: 0 }),
      erasing: () => Promise.resolve(false),
      expire: () => Promise.resolve(3),
    },
    jobStatuses: (ids) =>
      Promise.resolve(
        ids.map((job) => ({
          job,
          activity: 'idle' as const,
          epoch: null,
          cursor: 0,
          head: 0,
          waitingLines: 0,
          waitingBytes: 0,
          oldestWaitingMs: null,
          lastCompleteMs: null,
          lastErrorMs: null,
          errorMessage: null,
          totals: NO_LINES,
          deliveredBytes: 0,
          inFlight: 0,
          nextAttemptMs: null,
        })),
      ),
    attempts: () => Promise.resolve([]),
    jobLedger: (job) =>
      Promise.resolve({ job, stream: 'zones/z1/http_requests', total: row, hours: [] }),
    scopeLedger: ({ scope }) => Promise.resolve({ scope, streams: [], jobs: [], replays: [] }),
    usage: () => Promise.resolve([]),
    keptLines: () => Promise.resolve([]),
    keptLine: () => Promise.resolve(undefined),
    status: () =>
      Promise.resolve({ version: 'test', durability: 'disk' as const, startedMs: 0, shards: [] }),
    metrics: () => Promise.resolve('waybill_up 1\n'),
    ready: () => ({ ready: true }),
    tryDestination: () => Promise.resolve({ kind: 'accepted' }),
  };
}

/** An answer as a test looks at it. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined when it is no JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape
  readonly body: any;
}

export interface TestControl {
  readonly control: Control;
  readonly url: string;
  readonly operator: string;
  readonly directory: string;
  readonly published: Snapshot[];
  /** Everything that was written to the process's own log. */
  readonly logged: string[];
  call(
    method: string,
    path: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answered>;
  close(): Promise<void>;
}

export async function startControl(change: Partial<ControlDeps> = {}): Promise<TestControl> {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-control-'));
  const published: Snapshot[] = [];
  const logged: string[] = [];
  const deps: ControlDeps = {
    files: nodeFileSystem(),
    directory,
    keys: { kind: 'file', path: join(directory, 'secrets.key') },
    clock: systemClock,
    random: systemRandom,
    diagnostics: diagnosticsTo(
      (line) => logged.push(line),
      () => systemClock.wallMs(),
      'debug',
    ),
    policy: { allowHttp: true, fileRoots: ['/tmp'] },
    publish: (snapshot) => {
      published.push(snapshot);
      return Promise.resolve();
    },
    dataPlane: idleDataPlane(),
    version: '0.0.0-test',
    ...change,
  };
  const opened = await openControl(deps);
  if (opened.kind === 'unreadable') throw new Error(opened.detail);
  const { control } = opened;
  const operator = (await control.ensureOperatorToken()) ?? '';
  const url = await control.listen({ host: '127.0.0.1', port: 0 });
  return {
    control,
    url,
    operator,
    directory,
    published,
    logged,
    async call(method, path, { token = operator, body, headers = {} } = {}) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: isJson ? JSON.parse(text) : undefined,
      };
    },
    async close() {
      await control.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Two accounts with a zone each: `a1` with `z1`, `a2` with `z2`. */
export async function withScopes(test: TestControl): Promise<void> {
  for (const n of [1, 2]) {
    await test.call('PUT', `/v1/accounts/a${n}`, { body: { name: `Account ${n}` } });
    await test.call('PUT', `/v1/zones/z${n}`, {
      body: { account: `a${n}`, name: `site${n}.example` },
    });
  }
}

/** A new token of a kind; returns what is shown once. */
export async function tokenFor(test: TestControl, body: Record<string, unknown>): Promise<string> {
  const made = await test.call('POST', '/v1/tokens', { body });
  if (made.status !== 201) throw new Error(made.text);
  return String(made.body.token);
}

export const S3 =
  's3://bucket/logs/{DATE}?region=eu-west-1&access-key-id=AKIAEXAMPLE&secret-access-key=MARKERsecretMARKER&endpoint=s3.example.com';
