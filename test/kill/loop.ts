/**
 * The kill loop: a real server under load is struck by SIGKILL again and again, and an oracle outside of it says what became
 * of every line that it had said yes to.
 *
 *   node test/kill/loop.ts --kills 1000 --minutes 480
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { spawn } from 'node:child_process';
import { lastingPorts } from '../support/ports.ts';
import {
  LOCAL_DESTINATIONS,
  MAIN,
  spawnServer,
  startServer,
  temporaryFolder,
} from '../support/server.ts';
import type { Server } from '../support/server.ts';
import { Oracle } from './oracle.ts';
import type { Verdict } from './oracle.ts';
import { Producer, openStalledUploads } from './producers.ts';
import { leaveTornTail } from './tear.ts';

export interface KillLoopOptions {
  readonly kills: number;
  /** The loop strikes no more after this time, however many were asked for. */
  readonly mostMs: number;
  readonly producers: number;
  readonly heapMiB: number;
  readonly stalledUploads: number;
  /** Shards of the server, each with a zone whose lines the producers send to. */
  readonly shards?: number;
  readonly say?: (text: string) => void;
}

export interface KillReport {
  readonly kills: number;
  readonly earlyKills: number;
  readonly http: Verdict;
  readonly files: Verdict;
  readonly repeats: number;
  readonly tornTails: number;
  /** Everything else that must be empty: refusals, offsets, books. */
  readonly problems: readonly string[];
}

/** Kills by which a replay and a torn tail must have been met. */
const MET_BY = 20;
/** After so many kills one finds a write behind the last commit that was cut short. */
const TEAR_EVERY = 3;

const JOB_BOTH = { dataset: 'http_requests', enabled: true };

export async function killLoop(options: KillLoopOptions): Promise<KillReport> {
  const say = options.say ?? (() => {});
  const folder = await temporaryFolder('kill');
  const dataDir = join(folder.path, 'data');
  const outDir = join(folder.path, 'out');
  await mkdir(outDir);
  const sink = await httpSink();
  const shards = options.shards ?? 1;
  const zones = Array.from({ length: shards }, (_, index) => `z${index + 1}`);
  const jobs = Array.from({ length: 2 * shards }, (_, index) => index + 1);
  const flags = [
    '--process-shards',
    String(shards),
    ...LOCAL_DESTINATIONS,
    '--destinations-file-roots',
    outDir,
    '--deliver-interval-ms',
    '300',
    '--buffer-segment-bytes',
    String(1 << 20),
    '--buffer-low-watermark',
    '0.97',
    '--buffer-high-watermark',
    '0.98',
  ];
  const nodeFlags = [`--max-old-space-size=${options.heapMiB}`];
  const problems: string[] = [];
  let tornTails = 0;
  /** How long the last start took. */
  let startMs = 0;

  const ports = await lastingPorts();
  let server = await startServer({ dataDir, flags, nodeFlags, ...ports });
  const restart = async (): Promise<Server> => {
    const begunMs = performance.now();
    const next = await startServer({ dataDir, flags, nodeFlags, ...ports });
    if (/"event":"log\.torn_tail/.test(next.log()) || /tornTailBytes":[1-9]/.test(next.log()))
      tornTails++;
    startMs = performance.now() - begunMs;
    return next;
  };
  const token = await setUp(server, zones, sink.url, outDir);
  const targets = zones.map((zone) => ({
    url: server.ingestUrl,
    path: `/v1/ingest/zones/${zone}/http_requests`,
    token,
  }));
  const target = targets[0]!;
  const oracle = new Oracle();
  const producers = Array.from(
    { length: options.producers },
    (_, number) => new Producer(number, targets[number % shards]!, oracle),
  );
  const running = producers.map((producer) => producer.run(4));
  const probe = new Producer(900, target, oracle);

  const started = Date.now();
  let kills = 0;
  let earlyKills = 0;
  let closeStalled = openStalledUploads(target, options.stalledUploads);
  while (kills < options.kills && Date.now() - started < options.mostMs) {
    await pause(150 + Math.random() ** 2 * 1_200);
    await server.end('SIGKILL');
    closeStalled();
    kills++;
    if (kills % TEAR_EVERY === 0) await leaveTornTail(dataDir);
    if (kills % 5 === 0 && kills < options.kills) {
      // Struck again while it starts, late enough that its code is loaded more often than not: a crash during recovery.
      const early = spawnServer({ dataDir, flags, nodeFlags, ...ports });
      await pause((0.4 + 0.6 * Math.random()) * startMs);
      early.child.kill('SIGKILL');
      await early.exited;
      kills++;
      earlyKills++;
    }
    server = await restart();
    closeStalled = openStalledUploads(target, options.stalledUploads);
    await withTime(probe.sendOne(1), 30_000, 'a fresh write after the restart');
    say(
      `${kills} kills, ${oracle.promisedLines} lines promised, ${oracle.repeats} replays, ${tornTails} torn tails`,
    );
  }
  for (const producer of producers) producer.stop();
  await withTime(Promise.all(running), 60_000, 'the last bodies');
  closeStalled();
  problems.push(
    ...[...producers, probe].flatMap((producer) => producer.faults),
    ...oracle.offsetProblems(shards),
  );
  await emptyQueue(server, jobs, problems);
  const ledgers = await Promise.all(
    jobs.map((job) => server.call<Ledger>('GET', `/v1/jobs/${job}/ledger`)),
  );
  const code = await server.end('SIGTERM');
  if (code !== 0) problems.push(`SIGTERM ended it with ${code}`);
  problems.push(...(await compareBooks(dataDir, ledgers)));
  const report: KillReport = {
    kills,
    earlyKills,
    http: oracle.judge(sink.lines()),
    files: oracle.judge(await fileLines(outDir)),
    repeats: oracle.repeats,
    tornTails,
    problems,
  };
  sink.close();
  if (verdictOf(report)) await folder.remove();
  else say(`what is left lies in ${folder.path}\n${server.log().slice(-4_000)}`);
  return report;
}

/**
 * Whether nothing that matters is wrong, and enough was met to say so: a body that was stored before its answer was lost, and a
 * write that was cut short. Other receivers than object stores may see a batch twice.
 */
export function verdictOf({
  http,
  files,
  kills,
  problems,
  repeats,
  tornTails,
}: KillReport): boolean {
  const sound = ({ promised, missing, spurious, damaged }: Verdict) =>
    promised > 0 && missing + spurious + damaged === 0;
  const met = kills < MET_BY || (repeats > 0 && tornTails > 0);
  return met && sound(http) && sound(files) && files.repeated === 0 && problems.length === 0;
}

interface Ledger {
  readonly job: number;
  readonly total: {
    readonly accepted: number;
    readonly delivered: number;
    readonly waiting: number;
    readonly balanced: boolean;
  };
  readonly hours: readonly { readonly balanced: boolean }[];
}

async function setUp(
  server: Server,
  zones: readonly string[],
  sinkUrl: string,
  outDir: string,
): Promise<string> {
  await server.call('PUT', '/v1/accounts/a1', { name: 'a1' });
  for (const zone of zones) {
    await server.call('PUT', `/v1/zones/${zone}`, { account: 'a1', name: `${zone}.example` });
    for (const destination of [`file://${outDir}`, sinkUrl]) {
      await server.call('POST', `/client/v4/zones/${zone}/logpush/jobs`, {
        ...JOB_BOTH,
        destination_conf: destination,
      });
    }
  }
  const { token } = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    name: 'kill',
    scopes: zones.map((id) => ({ kind: 'zone', id })),
  });
  return token;
}

/** A receiver that fails now and then, so that retries are part of every run. */
async function httpSink() {
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('error', () => {});
    request.on('end', () => {
      const fails = Math.random() < 0.05;
      if (!fails) bodies.push(Buffer.concat(pieces));
      response.writeHead(fails ? 503 : 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`,
    lines: () => linesOf(bodies),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function* linesOf(bodies: Iterable<Buffer>): Generator<string> {
  for (const body of bodies) yield* gunzipSync(body).toString('utf8').split('\n').slice(0, -1);
}

async function fileLines(folder: string): Promise<Iterable<string>> {
  const names = await readdir(folder, { recursive: true });
  const objects = names.filter((name) => name.endsWith('.log.gz'));
  return linesOf(await Promise.all(objects.map((name) => readFile(join(folder, name)))));
}

async function emptyQueue(
  server: Server,
  jobs: readonly number[],
  problems: string[],
): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until; await pause(200)) {
    const ledgers = await Promise.all(
      jobs.map((job) => server.call<Ledger>('GET', `/v1/jobs/${job}/ledger`)),
    );
    for (const { job, total, hours } of ledgers) {
      if (!total.balanced || hours.some((hour) => !hour.balanced))
        problems.push(`job ${job}: the books do not balance: ${JSON.stringify(total)}`);
    }
    if (ledgers.every(({ total }) => total.waiting === 0)) return;
  }
  problems.push('the queue did not empty within a minute');
}

interface Recount {
  readonly problems: readonly string[];
  readonly books: readonly {
    readonly job: number;
    readonly accepted: number;
    readonly delivered: number;
    readonly waiting: number;
    readonly balanced: boolean;
  }[];
}

/** `waybill log check --books` recounts in a process of its own; it must come to what the server said. */
async function compareBooks(dataDir: string, ledgers: readonly Ledger[]): Promise<string[]> {
  const recount = JSON.parse(
    await output(['log', 'check', '--books', '--json', dataDir]),
  ) as Recount;
  const problems = recount.problems.map((problem) => `log check: ${problem}`);
  for (const { job, total } of ledgers) {
    const counted = recount.books.find((book) => book.job === job);
    const same =
      counted?.balanced &&
      counted.accepted === total.accepted &&
      counted.delivered === total.delivered &&
      counted.waiting === total.waiting;
    if (!same)
      problems.push(
        `job ${job}: the server counts ${JSON.stringify(total)}, the recount ${JSON.stringify(counted)}`,
      );
  }
  return problems;
}

function output(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function withTime<T>(work: Promise<T>, mostMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what} did not get through within ${mostMs} ms`)),
      mostMs,
    );
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '20' },
      minutes: { type: 'string', default: '10' },
      producers: { type: 'string', default: '6' },
      shards: { type: 'string', default: '1' },
    },
  });
  const report = await killLoop({
    kills: Number(values.kills),
    mostMs: Number(values.minutes) * 60_000,
    producers: Number(values.producers),
    heapMiB: 160,
    stalledUploads: 50,
    shards: Number(values.shards),
    say: (text) => process.stdout.write(`${text}\n`),
  });
  process.stdout.write(
    `${JSON.stringify(report, null, 2)}\n${verdictOf(report) ? 'nothing lost' : 'FAILED'}\n`,
  );
  process.exit(verdictOf(report) ? 0 : 1);
}
