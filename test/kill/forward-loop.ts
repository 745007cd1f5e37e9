/**
 * Producers behind a forwarder, a forwarder before a server, objects behind the server. Forwarder and server are struck by
 * SIGKILL again and again, each alone or both at once; from outside it is counted that every line that the forwarder had said
 * yes to stands at the destination once.
 */
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { makeCustomer, makeJob } from '../support/customer.ts';
import { startForwarder } from '../support/forwarder.ts';
import type { ForwarderProcess } from '../support/forwarder.ts';
import { lastingPorts } from '../support/ports.ts';
import { eventually } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';
import type { Server } from '../support/server.ts';
import { startSwallow } from '../support/swallow.ts';
import { Oracle } from './oracle.ts';
import type { Verdict } from './oracle.ts';
import { Producer } from './producers.ts';

export interface ForwardLoopOptions {
  readonly kills: number;
  /** No more strikes after this time. */
  readonly mostMs: number;
  readonly producers: number;
  readonly say?: (text: string) => void;
}

export interface ForwardLoopReport {
  readonly kills: number;
  readonly verdict: Verdict;
  /** Answers of the server that were lost on their way. */
  readonly lost: number;
  /** Lines that the server has recognised as repeats, as far as it was asked before its end. */
  readonly repeats: number;
  readonly problems: readonly string[];
}

export async function forwardLoop(options: ForwardLoopOptions): Promise<ForwardLoopReport> {
  const folder = await temporaryFolder('forward-kill');
  const outDir = join(folder.path, 'out');
  await mkdir(outDir);
  const flags = [
    ...LOCAL_DESTINATIONS,
    '--destinations-file-roots',
    outDir,
    '--deliver-interval-ms',
    '200',
    '--buffer-low-watermark',
    '0.97',
    '--buffer-high-watermark',
    '0.98',
  ];
  const dataDir = join(folder.path, 'server');
  const ports = await lastingPorts();
  const listen = await lastingPorts();
  let server = await startServer({ dataDir, flags, ...ports });
  const token = await makeCustomer(server, 'a1', 'z1');
  await makeJob(server, 'z1', `file://${outDir}`);
  // One answer in ten is lost on its way back.
  const between = await startSwallow(() => server.ingestUrl, 0.1);
  const settings = {
    dataDir: join(folder.path, 'forward'),
    token,
    receivers: [between.url],
    wantedUrl: server.controlUrl,
    listenPort: listen.ingestPort,
  };
  let forwarder = await startForwarder(settings);

  const oracle = new Oracle();
  const target = { url: forwarder.ingestUrl, path: '/v1/ingest/zones/z1/http_requests', token: '' };
  const producers = Array.from(
    { length: options.producers },
    (_, number) => new Producer(number, target, oracle),
  );
  const running = producers.map((producer) => producer.run(4));
  const started = Date.now();
  let kills = 0;
  let repeats = 0;
  while (kills < options.kills && Date.now() - started < options.mostMs) {
    await pause(150 + Math.random() ** 2 * 1_500);
    const whom = kills % 3;
    if (whom !== 1) {
      await forwarder.end('SIGKILL');
      kills++;
    }
    if (whom !== 0) {
      repeats += await repeatsOf(server);
      await server.end('SIGKILL');
      kills++;
      // The forwarder goes on alone for a while.
      if (whom === 1) await pause(Math.random() * 500);
      server = await startServer({ dataDir, flags, ...ports });
    }
    if (whom !== 1) forwarder = await startForwarder(settings);
    options.say?.(
      `${kills} kills, ${oracle.promisedLines} lines promised, ${between.lost} answers lost, ${repeats} repeats`,
    );
  }
  for (const producer of producers) producer.stop();
  await Promise.all(running);
  const problems = [...producers.flatMap(({ faults }) => faults), ...oracle.offsetProblems()];
  await eventually('the forwarder is empty', () => isEmpty(forwarder));
  repeats += await repeatsOf(server);
  await eventually('the server is empty', () => hasDelivered(server));
  const codes = [await forwarder.end('SIGTERM'), await server.end('SIGTERM')];
  if (codes.some((code) => code !== 0))
    problems.push(`SIGTERM ended them with ${codes.join(', ')}`);
  between.close();
  const verdict = oracle.judge(await objectLines(outDir));
  await folder.remove();
  return { kills, verdict, lost: between.lost, repeats, problems };
}

async function isEmpty(forwarder: ForwarderProcess): Promise<boolean> {
  return (await forwarder.status()).spool.waitingLines === 0;
}

async function hasDelivered(server: Server): Promise<boolean> {
  const { total } = await server.call<{ total: { waiting: number } }>('GET', '/v1/jobs/1/ledger');
  return total.waiting === 0;
}

/** Lines of repeated requests that the server has recognised since its start. */
async function repeatsOf(server: Server): Promise<number> {
  const metrics = await (await fetch(`${server.controlUrl}/metrics`)).text();
  return Number(/^waybill_ingest_repeated_lines (\d+)/m.exec(metrics)?.[1] ?? 0);
}

async function objectLines(folder: string): Promise<Iterable<string>> {
  const names = await readdir(folder, { recursive: true });
  const objects = names.filter((name) => name.endsWith('.log.gz'));
  const bodies = await Promise.all(objects.map((name) => readFile(join(folder, name))));
  return bodies.flatMap((body) => gunzipSync(body).toString('utf8').split('\n').slice(0, -1));
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

if (import.meta.main) {
  const report = await forwardLoop({
    kills: Number(process.argv[2] ?? 60),
    mostMs: 30 * 60_000,
    producers: 4,
    say: (text) => process.stdout.write(`${text}\n`),
  });
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
}
