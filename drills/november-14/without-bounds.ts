/**
 * What would have happened: a flood of large bodies on a server as it is, and on one whose bounds are raised by the drill. If
 * both looked the same, the drill would not have shown that the bounds are what holds.
 */
import { join } from 'node:path';

import { Control } from '../kit/control.ts';
import { Server } from '../kit/server.ts';
import type { Stage } from '../kit/stage.ts';
import { bytes, counted } from '../kit/text.ts';
import { destinationOfNobody } from './acts.ts';
import { Flood } from './flood.ts';

const DATASET = 'http_requests';
const ZONES = Array.from({ length: 12 }, (_, at) => `wide-${at}`);
const BODY_BYTES = 8 * 1024 * 1024;
const CONNECTIONS = 256;
const SECONDS = 20;
/** Apart from noise: the bodies alone may be many times what the bounds allow. */
const TIMES = 1.25;
const PRELOAD = join(import.meta.dirname, '../preload/raised-bounds.mjs');

export async function withoutBounds(stage: Stage): Promise<void> {
  stage.phases.begin('without bounds');
  const bounded = await flooded(stage, 'as it is', []);
  const raised = await flooded(stage, 'with its bounds raised', ['--import', PRELOAD]);
  if (bounded === undefined || raised === undefined) {
    stage.notRun(
      'memory with and without bounds',
      'this system does not tell the memory of a process',
    );
    return;
  }
  stage.figure('memory under large bodies, as it is', bytes(bounded));
  stage.figure('memory under large bodies, with the bounds raised', bytes(raised));
  stage.expect(
    'the bounds are what holds: without them memory grows by more than a quarter',
    raised > TIMES * bounded,
    `${bytes(raised)} against ${bytes(bounded)}`,
  );
}

/** @returns the most memory that the server held */
async function flooded(
  stage: Stage,
  how: string,
  nodeFlags: readonly string[],
): Promise<number | undefined> {
  const name = nodeFlags.length > 0 ? 'raised' : 'bounded';
  const server = new Server({
    dataDir: stage.subfolder(name),
    logPath: join(stage.folder, `${name}.log`),
    fileRoot: stage.subfolder('delivered'),
    intervalMs: 1_000,
    nodeFlags,
  });
  stage.onEnd(() => server.kill());
  await server.start();
  const control = new Control(
    () => server.controlUrl,
    () => server.operatorToken,
  );
  const away = await destinationOfNobody(stage);
  for (const zone of ZONES) {
    await control.must('PUT', `/v1/accounts/${zone}`, { name: zone });
    await control.must('PUT', `/v1/zones/${zone}`, { account: zone, name: `${zone}.example` });
    await control.must('POST', `/client/v4/zones/${zone}/logpush/jobs`, {
      name: zone,
      dataset: DATASET,
      enabled: true,
      destination_conf: away,
    });
  }
  const { token } = await control.must<{ readonly token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    name: 'flood',
    scopes: 'all',
  });
  const flood = new Flood(stage, {
    url: server.ingestUrl,
    token,
    zones: ZONES,
    datasets: [DATASET],
    bodyBytes: BODY_BYTES,
    connections: CONNECTIONS,
    leastBytesPerS: 2e9,
  });
  let most: number | undefined;
  for (let look = 0; look < SECONDS * 4; look += 1) {
    await stage.sleep(250);
    const now = server.residentBytes;
    if (now !== undefined) most = Math.max(most ?? 0, now);
  }
  await flood.end();
  const survived = server.running;
  stage.saw(
    'a server',
    `${how}: at most ${most === undefined ? 'unknown' : bytes(most)} of memory${survived ? '' : ', and it died'}; ${counted(flood.answers)}`,
  );
  await server.kill();
  return most;
}
