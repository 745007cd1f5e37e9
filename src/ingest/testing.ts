/** A real server on loopback with ingest on it, for the tests of this room. Holds no tests of its own. */
import { createHash } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { AppendRequest, AppendResult, RefusalCount } from '../buffer/index.ts';
import { systemClock } from '../lib/clock.ts';
import { silent } from '../lib/diagnostics.ts';
import { seededRandom } from '../lib/random.ts';
import { limits } from '../model/limits.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { routeTable } from '../route/index.ts';
import { createIngest, ingestServerOptions, serveIngest } from './index.ts';
import type { Ingest, IngestDeps, IngestLimits, KeepEntry } from './index.ts';

const hash = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Accounts a1 and a2; zones z1, z2 of a1 and z3 of a2; z2 has no job. Datasets: `http` (both kinds) and `exact` (strict). */
export function sampleSnapshot(moreZones = 0): Snapshot {
  const zones = [
    { id: 'z1', account: 'a1', name: 'one.example' },
    { id: 'z2', account: 'a1', name: 'two.example' },
    { id: 'z3', account: 'a2', name: 'three.example' },
  ];
  for (let index = 0; index < moreZones; index++) {
    zones.push({ id: `m${index}`, account: `b${index % 7}`, name: `m${index}.example` });
  }
  const job = (account: string, kind: 'account' | 'zone', id: string, dataset: string) => ({
    id: 1,
    name: '',
    account,
    scope: { kind, id },
    dataset,
    stream: `${kind}s/${id}/${dataset}` as const,
    enabled: true,
    destinationConf: '',
    filter: '',
    outputOptions: null,
    maxUploadBytes: 0,
    maxUploadRecords: 0,
    maxUploadIntervalMs: 0,
    contentVersion: 1,
    version: 1,
  });
  const dataset = (id: string, scope: 'account' | 'zone', strict: boolean) => ({
    id,
    scope,
    fields: [],
    strict,
  });
  return {
    version: 1,
    accounts: [...new Set(zones.map((zone) => zone.account))].map((id) => ({
      id,
      name: id,
      ambientCredentials: false,
    })),
    zones,
    datasets: [
      dataset('http', 'zone', false),
      dataset('audit', 'account', false),
      dataset('exact', 'zone', true),
    ],
    jobs: [
      job('a1', 'account', 'a1', 'audit'),
      ...zones
        .filter((zone) => zone.id !== 'z2')
        .flatMap((zone) => [
          job(zone.account, 'zone', zone.id, 'http'),
          job(zone.account, 'zone', zone.id, 'exact'),
        ]),
    ],
    tokens: [
      { id: 't1', hash: hash('secret-a1'), scopes: [{ kind: 'account', id: 'a1' }] },
      { id: 't2', hash: hash('secret-a2'), scopes: [{ kind: 'account', id: 'a2' }] },
      { id: 't3', hash: hash('secret-z1'), scopes: [{ kind: 'zone', id: 'z1' }] },
      { id: 'central', hash: hash('secret-all'), scopes: 'all' },
    ],
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly json: AnswerJson;
}

/** The parts of answers that tests look at. */
export interface AnswerJson {
  readonly error?: {
    code: string;
    message: string;
    line?: number;
    path?: string;
    retryAfterS?: number;
  };
  readonly durability?: string;
  readonly accepted?: number;
  readonly unwanted?: number;
  readonly quarantined?: number;
  readonly keysReachBackS?: number;
  readonly streams?: {
    stream?: string;
    accepted?: number;
    unwanted?: number;
    quarantined?: number;
    epoch?: string;
    offsets?: { from: number; to: number };
    repeat?: boolean;
    refused?: { code: string; line?: number; retryAfterS?: number };
    lines?: number;
  }[];
}

export interface Door extends AsyncDisposable {
  readonly ingest: Ingest;
  readonly port: number;
  /** What the buffer was given, in order. */
  readonly appended: AppendRequest[];
  readonly kept: KeepEntry[];
  readonly refusals: RefusalCount[];
  readonly logged: string[];
  /** The bytes that a stream was given, as text. */
  stored(stream: string): string;
  post(path: string, body: string | Buffer, headers?: OutgoingHttpHeaders): Promise<Answer>;
  /** A bare connection, for what no client would do. */
  socket(): Promise<Socket>;
}

export interface DoorOptions {
  readonly limits?: Partial<IngestLimits>;
  readonly snapshot?: Snapshot | undefined;
  readonly deps?: Partial<IngestDeps>;
}

/** Opens the door on a free port of the loopback. Offsets are counted per stream as the buffer would. */
export async function openDoor(options: DoorOptions = {}): Promise<Door> {
  const appended: AppendRequest[] = [];
  const kept: KeepEntry[] = [];
  const refusals: RefusalCount[] = [];
  const logged: string[] = [];
  const heads = new Map<string, number>();
  const table = routeTable(options.snapshot ?? sampleSnapshot());
  const bounds: IngestLimits = { ...limits.ingest, ...options.limits };
  const append = async (request: AppendRequest): Promise<AppendResult> => {
    // As the buffer does: what it was given may be written over once it has answered.
    const { lines } = request;
    appended.push({ ...request, lines: { ...lines, bytes: Buffer.from(lines.bytes) } });
    const from = heads.get(request.stream) ?? 0;
    const to = from + request.lines.ends.length;
    heads.set(request.stream, to);
    return { kind: 'stored', epoch: '00000000000000aa', range: { from, to }, repeat: false };
  };
  const ingest = createIngest({
    route: () => table,
    append,
    countRefusal: (entry) => void refusals.push(entry),
    keepLines: async (entry) => {
      kept.push(entry);
      return 'kept';
    },
    durability: 'disk',
    keysReachBackMs: () => 3_600_000,
    clock: systemClock,
    random: seededRandom(7),
    diagnostics: {
      ...silent,
      error: (event, details) => void logged.push(`${event} ${JSON.stringify(details)}`),
    },
    limits: bounds,
    ...options.deps,
  });
  const server = createServer(ingestServerOptions(bounds));
  serveIngest(server, ingest, bounds);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const sockets = new Set<Socket>();
  return {
    ingest,
    port,
    appended,
    kept,
    refusals,
    logged,
    stored: (stream) =>
      Buffer.concat(
        appended.filter((one) => one.stream === stream).map((one) => one.lines.bytes),
      ).toString(),
    post: (path, body, headers = {}) => post(port, path, body, headers),
    socket: () =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => resolve(socket));
        socket.on('error', reject);
        sockets.add(socket);
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function post(
  port: number,
  path: string,
  body: string | Buffer,
  headers: OutgoingHttpHeaders,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'POST', ...rest } = headers;
    const all = {
      Authorization: 'Bearer secret-a1',
      'Content-Length': Buffer.byteLength(body),
      ...rest,
    };
    for (const [name, value] of Object.entries(all))
      if (value === '') delete all[name as keyof typeof all];
    const sending = httpRequest({
      port,
      host: '127.0.0.1',
      path,
      method: String(method),
      headers: all,
      agent: false,
    });
    sending.on('error', reject);
    sending.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => void pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const json = JSON.parse(Buffer.concat(pieces).toString()) as AnswerJson;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, json });
      });
    });
    sending.end(body);
  });
}

/** What has come on a socket once it is closed, or once `until` has come. */
export function heard(socket: Socket, until?: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (piece: Buffer) => {
      text += piece.toString();
      if (until !== undefined && text.includes(until)) resolve(text);
    });
    socket.on('close', () => resolve(text));
  });
}

/** Waits until something holds. */
export async function eventually(holds: () => boolean): Promise<void> {
  for (let look = 0; look < 2_000; look++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it never came to be');
}
