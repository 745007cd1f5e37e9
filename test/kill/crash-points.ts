/**
 * Kills the real process at named durability steps, under load, one death after the other, and looks from outside at what became
 * of the lines: by the destination's folder, the answers, the ledger and the offline checker.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import {
  LOCAL_DESTINATIONS,
  MAIN,
  spawnServer,
  startServer,
  temporaryFolder,
} from '../support/server.ts';
import { lastingPorts } from '../support/ports.ts';
import type { Server } from '../support/server.ts';
import { Oracle } from './oracle.ts';
import type { Verdict } from './oracle.ts';
import { Producer } from './producers.ts';

export interface Death {
  readonly step: string;
  /** Which time it is done counts. */
  readonly nth?: number;
  /** `start`: before it is ready. `work`: under load. `close`: when it is told to end. */
  readonly when: 'start' | 'work' | 'close';
}

interface Ledger {
  readonly total: { readonly waiting: number; readonly balanced: boolean };
}

/** Settled lines go at once, a tail is sealed each second, and compaction runs on any disk that is a tenth full. */
const FLAGS = [
  ...LOCAL_DESTINATIONS,
  '--deliver-interval-ms',
  '200',
  '--buffer-segment-bytes',
  String(1 << 20),
  '--buffer-holdback-ms',
  '0',
  '--buffer-low-watermark',
  '0.1',
  '--buffer-high-watermark',
  '0.99',
];
/** A loaded machine takes its time; what does not die by then does not die. */
const DYING_MS = 60_000;

/** Lets one process after the other die; fails when one did not die where it should, or when anything was lost. */
export async function crashTrial(deaths: readonly Death[]): Promise<void> {
  const folder = await temporaryFolder('crash');
  const outDir = join(folder.path, 'out');
  await mkdir(outDir);
  const options = {
    ...(await lastingPorts()),
    dataDir: join(folder.path, 'data'),
    flags: [...FLAGS, '--destinations-file-roots', outDir],
  };
  const first = await startServer(options);
  const token = await setUp(first, outDir);
  const oracle = new Oracle();
  const target = { url: first.ingestUrl, path: '/v1/ingest/zones/z1/http_requests', token };
  const producers = [0, 1, 2].map((number) => new Producer(number, target, oracle));
  // A second stream whose job never gets anything out: it pins segments, so that compaction has work.
  const slow = new Oracle();
  const slowPath = '/v1/ingest/zones/z2/http_requests';
  const slowProducer = new Producer(3, { ...target, path: slowPath }, slow);
  await slowProducer.sendOne(20);
  const running = producers.map((producer) => producer.run(10));
  try {
    await pause(300);
    await first.end('SIGKILL');

    for (const { nth = 1, step, when } of deaths) {
      const environment = { WAYBILL_CRASH_AT: `${step}:${nth}` };
      const { exited, log } = await dying({ ...options, environment }, when);
      assert.equal(exited, 'SIGKILL', `it died at ${step}, and not otherwise:\n${log}`);
      assert.ok(log.includes(`crash point: ${step}:${nth}\n`), 'and by its own hand');
    }

    const server = await startServer(options);
    await slowProducer.sendOne(5);
    await pause(300);
    for (const producer of producers) producer.stop();
    await Promise.all(running);
    await settled(server, slow.promisedLines);
    assert.equal(await server.end('SIGTERM'), 0);
    assert.deepEqual(oracle.offsetProblems(), []);
    assert.deepEqual(
      [...producers, slowProducer].flatMap(({ faults }) => faults),
      [],
    );
    sound(oracle.judge(await fileLines(outDir)));
    assert.deepEqual(await checked(options.dataDir), []);
  } finally {
    for (const producer of [...producers, slowProducer]) producer.giveUp();
  }
  await folder.remove();
}

function sound({ damaged, examples, missing, promised, repeated, spurious }: Verdict): void {
  assert.ok(promised > 0);
  assert.deepEqual({ missing, spurious, damaged, repeated }, NOTHING, examples.join('\n'));
}

const NOTHING = { missing: 0, spurious: 0, damaged: 0, repeated: 0 };

/** Starts an armed process and waits for its end. */
async function dying(
  options: Parameters<typeof spawnServer>[0],
  when: Death['when'],
): Promise<{ readonly exited: number | string; readonly log: string }> {
  if (when === 'close') {
    const server = await startServer(options);
    await pause(300);
    return { exited: await within(server.end('SIGTERM')), log: server.log() };
  }
  const { child, exited, log } = spawnServer(options);
  const ended = await within(exited);
  child.kill('SIGKILL');
  return { exited: ended, log: log() };
}

async function within(exited: Promise<number | string>): Promise<number | string> {
  const late = pause(DYING_MS).then(() => `alive after ${DYING_MS} ms`);
  return Promise.race([exited, late]);
}

async function setUp(server: Server, outDir: string): Promise<string> {
  await server.call('PUT', '/v1/accounts/a1', { name: 'a1' });
  const jobs = { z1: `file://${outDir}`, z2: 'http://127.0.0.1:9/nobody' };
  for (const [zone, destination] of Object.entries(jobs)) {
    await server.call('PUT', `/v1/zones/${zone}`, { account: 'a1', name: `${zone}.example` });
    await server.call('POST', `/client/v4/zones/${zone}/logpush/jobs`, {
      dataset: 'http_requests',
      enabled: true,
      destination_conf: destination,
    });
  }
  const { token } = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    name: 'crash',
    scopes: ['z1', 'z2'].map((id) => ({ kind: 'zone', id })),
  });
  return token;
}

/** The live job's queue empties; the dead one's holds exactly what was promised. */
async function settled(server: Server, waiting: number): Promise<void> {
  const ledger = (job: number) => server.call<Ledger>('GET', `/v1/jobs/${job}/ledger`);
  for (let round = 0; ; round += 1) {
    const [live, dead] = await Promise.all([ledger(1), ledger(2)]);
    assert.ok(live.total.balanced && dead.total.balanced, 'I2: the books balance');
    assert.equal(dead.total.waiting, waiting, 'I3: lines that wait are kept');
    if (live.total.waiting === 0) return;
    assert.ok(round < 100, 'the queue empties');
    await pause(100);
  }
}

async function fileLines(folder: string): Promise<Iterable<string>> {
  const names = await readdir(folder, { recursive: true });
  const objects = names.filter((name) => name.endsWith('.log.gz'));
  const bodies = await Promise.all(objects.map((name) => readFile(join(folder, name))));
  return bodies.flatMap((body) => gunzipSync(body).toString('utf8').split('\n').slice(0, -1));
}

/** What `waybill log check --books` has to say. */
async function checked(dataDir: string): Promise<readonly string[]> {
  const child = spawn(process.execPath, [MAIN, 'log', 'check', '--books', '--json', dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  await new Promise((resolve) => child.once('close', resolve));
  const { books, problems } = JSON.parse(text) as {
    readonly problems: readonly string[];
    readonly books: readonly { readonly balanced: boolean }[];
  };
  assert.ok(books.length >= 2 && books.every(({ balanced }) => balanced), text);
  return problems;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
