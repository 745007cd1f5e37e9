/** Who takes part: three customers with jobs behind forwarders, and everybody else, who has none. */
import { join } from 'node:path';

import { Between } from '../kit/between.ts';
import { Control } from '../kit/control.ts';
import { Forwarder } from '../kit/forwarder.ts';
import { Scene, THREE } from '../kit/scene.ts';
import type { ServerOptions } from '../kit/server.ts';
import type { Stage } from '../kit/stage.ts';
import { plural } from '../kit/text.ts';

export interface Cast {
  readonly scene: Scene;
  readonly forwarders: readonly Forwarder[];
  /** What stands between the forwarders and the server's control address. */
  readonly between: Between;
  /** Zones of accounts without a job. */
  readonly others: readonly string[];
  /** The version of the configuration before there was anybody in it. */
  readonly blankVersion: number;
  /** May send everybody's lines. */
  readonly token: string;
  /** The server's process: at the end it must be the same. */
  readonly pid: number;
}

const AT_ONCE = 8;

export async function openCast(stage: Stage, server: Partial<ServerOptions> = {}): Promise<Cast> {
  let blankVersion = 0;
  const scene = await Scene.open(stage, {
    customers: THREE,
    intervalMs: 1_000,
    server,
    beforeCustomers: async (started) => {
      blankVersion = await versionOf(
        new Control(
          () => started.controlUrl,
          () => started.operatorToken,
        ),
      );
    },
  });
  const others = Array.from(
    { length: stage.short ? 50 : 1_000 },
    (_, at) => `other-${String(at).padStart(4, '0')}`,
  );
  await atOnce(others, async (zone) => {
    await scene.control.must('PUT', `/v1/accounts/${zone}`, { name: zone });
    await scene.control.must('PUT', `/v1/zones/${zone}`, {
      account: zone,
      name: `${zone}.example`,
    });
  });
  stage.did('everybody', `${plural(others.length, 'account')} more, with a zone each and no job`);
  const token = await scene.forwarderToken();
  const between = await Between.open(stage, () => scene.server.controlUrl);
  const forwarders: Forwarder[] = [];
  for (const name of stage.short ? ['edge-1'] : ['edge-1', 'edge-2']) {
    forwarders.push(await startForwarder(stage, scene, between, token, name));
  }
  scene.sendThrough(
    (zone) => forwarders[THREE.findIndex((one) => one.zone === zone) % forwarders.length]!,
  );
  stage.did(
    'forwarders',
    `${forwarders.map(({ name }) => name).join(', ')} beside the customers' producers`,
  );
  return { scene, forwarders, between, others, blankVersion, token, pid: scene.server.pid! };
}

export function startForwarder(
  stage: Stage,
  scene: Scene,
  between: Between,
  token: string,
  name: string,
): Promise<Forwarder> {
  return Forwarder.start(stage, {
    name,
    dataDir: join(stage.folder, name),
    logPath: join(stage.folder, `${name}.log`),
    token,
    receiverUrl: scene.server.ingestUrl,
    wantedUrl: between.url,
  });
}

export async function versionOf(control: Control): Promise<number> {
  const { version } = await control.must<{ readonly version: number }>('GET', '/v1/config');
  return version;
}

/** Does something for each, some at once. */
export async function atOnce<T>(all: readonly T[], each: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const one of left) await each(one);
    }),
  );
}
