/** Acts two and three: everybody's lines, unwanted and then wanted, and the end of it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { folderBytes } from '../kit/disk.ts';
import { THREE } from '../kit/scene.ts';
import type { Stage } from '../kit/stage.ts';
import { bytes, counted, number, plural } from '../kit/text.ts';
import { atOnce, versionOf } from './cast.ts';
import type { Cast } from './cast.ts';
import { Flood } from './flood.ts';

const DATASET = 'http_requests';
/** A flood ends after this time in any case. */
const MOST_FLOOD_S = 60;
/** So that also the short form has forty times the streams. */
const DATASETS = [DATASET, 'firewall_events', 'dns_logs'] as const;
const ZONES = THREE.map(({ zone }) => zone);
/**
 * Offered whatever is taken: several times what a thread of the product can take on any machine. Without it a server that takes
 * little of what nobody wants would meet a smaller flood.
 */
const LEAST_BYTES_PER_S = 600e6;
/** The product's own bar is 300 MiB to 600 MiB; a flood may take it to this and no further. */
const MEMORY_BYTES = 1e9;

const REASON = { 'waybill-reason': 'the drill insists' } as const;

function startFlood({ scene, token, others }: Cast): Flood {
  return new Flood(scene.stage, {
    url: scene.server.ingestUrl,
    token,
    zones: others,
    datasets: DATASETS,
    bodyBytes: scene.stage.short ? 64 * 1024 : 256 * 1024,
    connections: scene.stage.short ? 16 : 64,
    ...(scene.stage.short ? {} : { leastBytesPerS: LEAST_BYTES_PER_S }),
  });
}

/** Forwarders with the fail-safe of that day: they send everybody's lines. Nobody wants them. */
export async function actTwo(cast: Cast): Promise<void> {
  const { scene } = cast;
  const { stage } = scene;
  stage.phases.begin('act two');
  const flood = startFlood(cast);
  stage.broke(
    'flood',
    `everybody's lines: ${plural(cast.others.length * DATASETS.length, 'stream')} beside ${ZONES.length}`,
  );
  const isWide = () => flood.count.streams >= 40 * ZONES.length;
  const most = await whileFlooded(cast, { full: 40, short: 1 }, isWide);
  const streams = await streamsOf(cast);
  await flood.end();
  tellFlood(stage, 'act two', flood, most);
  stage.expect(
    'the flood was wanted by nobody and made no stream',
    streams === ZONES.length,
    plural(streams, 'stream'),
  );
  stage.expect(
    'it came with at least 40 times the streams',
    isWide(),
    plural(flood.count.streams, 'stream'),
  );
  compareWithQuiet(stage, 'act two', 1.5);
}

/** An operator insists that everybody is wanted; and nobody's destination takes anything. */
export async function actThree(cast: Cast): Promise<void> {
  const { scene, others } = cast;
  const { stage, control } = scene;
  const version = await versionOf(control);
  const away = await destinationOfNobody(stage);
  stage.phases.begin('act three');
  let insisted = 0;
  await atOnce(others, async (zone) => {
    const path = `/client/v4/zones/${zone}/logpush/jobs`;
    const body = { name: zone, dataset: DATASET, enabled: true, destination_conf: away };
    const first = await control.ask('POST', path, { body });
    if (first.status !== 422) {
      if (first.status >= 300)
        throw new Error(`POST ${path}: ${first.status} ${first.text.slice(0, 300)}`);
      return;
    }
    insisted += 1;
    await control.must('POST', path, body, insistence(first.text));
  });
  stage.broke(
    'everybody',
    `an operator has made ${plural(others.length, 'job')}${insisted > 0 ? `, insisting ${number(insisted)} times` : ''}: now everybody is wanted, and no destination of theirs takes anything`,
  );
  const flood = startFlood(cast);
  const isTaken = () => [...flood.answers.keys()].some((what) => what.includes('accepted'));
  const most = await whileFlooded(cast, { full: 40, short: 1 }, isTaken);
  const disk = folderBytes(scene.server.dataDir);
  await flood.end();
  tellFlood(stage, 'act three', flood, most);
  stage.figure('act three: disk that the server uses', bytes(disk));
  stage.expect('lines of everybody were really taken in', isTaken(), counted(flood.answers));
  await backAgain(cast, version);
}

/** Everything is as before: the configuration, the wanted set, the times, and the very process. */
async function backAgain(cast: Cast, version: number): Promise<void> {
  const { scene, others, token, pid } = cast;
  const { stage, control } = scene;
  const body = { version };
  const refused = await control.ask('POST', '/v1/config/rollback', { body });
  stage.saw(
    'the guard',
    `to end ${plural(others.length, 'stream')} at once: ${refused.status} ${/"message":"((?:[^"\\]|\\.)*)"/.exec(refused.text)?.[1] ?? ''}`,
  );
  stage.expect(
    'the way back is judged as well: it ends delivery for many',
    refused.status === 422,
    refused.status,
  );
  if (refused.status === 422) {
    await control.must('POST', '/v1/config/rollback', body, insistence(refused.text));
  }
  stage.mended('back', `to version ${number(version)}: the operator insists, with a reason`);
  await stage.go({ full: 10, short: 1 });
  stage.phases.begin('after');
  await stage.go({ full: 30, short: 1 });
  const { jobs } = await control.must<{ readonly jobs: readonly unknown[] }>(
    'GET',
    '/v1/jobs?limit=1000',
  );
  stage.expect(
    'there are the jobs that there were',
    jobs.length === ZONES.length,
    plural(jobs.length, 'job'),
  );
  const answer = await fetch(`${scene.server.ingestUrl}/v1/ingest/zones/${others[0]}/${DATASET}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: '{"late":true}\n',
  });
  const { unwanted } = (await answer.json()) as { readonly unwanted?: number };
  stage.expect('nobody else is wanted any more', unwanted === 1, `${unwanted ?? 0} unwanted`);
  stage.expect(
    'no restart was needed',
    scene.server.pid === pid && scene.server.running,
    `process ${scene.server.pid}`,
  );
  compareWithQuiet(stage, 'after', 1.5);
}

/**
 * Lets it flow and watches the server's memory, for its seconds and, on a slow machine, until it has come to what it is for.
 *
 * @returns the most that it held
 */
async function whileFlooded(
  { scene }: Cast,
  seconds: { readonly full: number; readonly short: number },
  isThere: () => boolean,
): Promise<number | undefined> {
  const { stage, server } = scene;
  let most: number | undefined;
  const turns = stage.short ? seconds.short : seconds.full;
  for (let turn = 0; turn < turns || (turn < MOST_FLOOD_S && !isThere()); turn += 1) {
    await stage.sleep(1_000);
    most = Math.max(most ?? 0, server.residentBytes ?? 0) || undefined;
  }
  return most;
}

function tellFlood(stage: Stage, act: string, flood: Flood, most: number | undefined): void {
  stage.mended(
    'flood ends',
    `offered ${bytes(flood.offeredPerS)}/s, answered ${bytes(flood.answeredPerS)}/s; ${counted(flood.answers)}`,
  );
  stage.figure(`${act}: offered`, `${bytes(flood.offeredPerS)}/s`);
  stage.figure(`${act}: answered with 200`, `${bytes(flood.answeredPerS)}/s`);
  stage.figure(`${act}: answers`, counted(flood.answers));
  if (!stage.short) {
    stage.expect(
      `${act}: at least twice what the machine takes was offered`,
      flood.offeredPerS >= 2 * flood.answeredPerS,
      `${bytes(flood.offeredPerS)}/s against ${bytes(flood.answeredPerS)}/s`,
    );
  }
  if (most === undefined) return;
  stage.figure(`${act}: the server's memory at most`, bytes(most));
  stage.expect(`${act}: the server's memory keeps to its bounds`, most < MEMORY_BYTES, bytes(most));
}

/** Times of configured customers and of the control API against the quiet phase. */
function compareWithQuiet(stage: Stage, name: string, times: number): void {
  const quiet = stage.phases.named('quiet');
  const phase = stage.phases.named(name);
  stage.expectTime(
    `${name}: customers' producers' answers, p99, ${times} times the quiet phase's`,
    phase.answers.quantileMs(0.99),
    times * quiet.answers.quantileMs(0.99),
  );
  stage.expectTime(
    `${name}: customers' delay beyond the interval, p99, ${times} times the quiet phase's`,
    stage.phases.delayP99Ms(name, ZONES),
    times * stage.phases.delayP99Ms('quiet', ZONES),
  );
  stage.expectTime(
    `${name}: control API, p99, 5 times the quiet phase's`,
    phase.control.quantileMs(0.99),
    5 * quiet.control.quantileMs(0.99),
  );
  stage.expect(
    `${name}: the control API answered every question`,
    phase.controlFailures === 0,
    phase.controlFailures,
  );
}

/** Streams that the server keeps. */
async function streamsOf({ scene }: Cast): Promise<number> {
  const { shards } = await scene.control.must<{
    readonly shards: readonly { readonly streams: number }[];
  }>('GET', '/v1/status');
  return shards.reduce((sum, { streams }) => sum + streams, 0);
}

/** A destination that is there and refuses everything: what is for it waits on disk. */
export async function destinationOfNobody(stage: Stage): Promise<string> {
  const server = createServer((request, answer) => {
    request.resume();
    answer.writeHead(503).end();
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  stage.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/nobody`;
}

/** The headers with which an operator insists on what the guard has refused. */
function insistence(refusal: string): Readonly<Record<string, string>> {
  const token = /"token":\s*"([0-9a-f]+)"/.exec(refusal)?.[1];
  if (token === undefined) throw new Error(`the refusal gives no token: ${refusal.slice(0, 500)}`);
  return { ...REASON, 'waybill-insist': token };
}
