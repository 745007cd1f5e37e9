/** The store of the configuration is lost, in several ways, while the server runs and before it starts. */
import { copyFileSync, existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { closeScene } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { runCommand } from './kit/process.ts';
import { Scene, THREE } from './kit/scene.ts';
import { plural } from './kit/text.ts';

type Strike = { readonly words: string; readonly to: (store: string, older: string) => void };

const STRIKES: readonly Strike[] = [
  { words: 'deleted', to: (store) => rmSync(store) },
  { words: 'emptied', to: (store) => truncateSync(store, 0) },
  {
    words: 'overwritten with noise',
    to: (store) => writeFileSync(store, Buffer.alloc(20_000, 'noise ')),
  },
  {
    words: 'replaced by one from before the jobs were made',
    to: (store, older) => copyFileSync(older, store),
  },
];

export const controlStoreLost: Drill = {
  name: 'control-store-lost',
  title: 'the store of the configuration is lost',
  claim:
    'Deleted, emptied, damaged or replaced by an older one: the configuration in force stays in force, lines are taken and delivered, nothing can be changed until an operator has the store rebuilt from it.',
  steps: [
    'three customers send',
    `the store is ${STRIKES.map(({ words }) => words).join('; then ')}; each time while the server is off, and in the full form also while it runs`,
    'lines are taken and delivered all the same; changes are refused',
    '`waybill control rebuild` restores it',
  ],
  atMostS: { full: 300, short: 200 },
  async run(stage) {
    const older = join(stage.folder, 'older.db');
    const scene = await Scene.open(stage, {
      customers: THREE,
      beforeCustomers: async (server) => {
        // A whole store is what a stopped server leaves.
        await server.stop();
        copyFileSync(join(server.dataDir, 'control.db'), older);
        await server.start();
      },
    });
    const store = join(scene.server.dataDir, 'control.db');
    scene.start();
    await stage.go({ full: 5, short: 2 });

    stage.phases.begin('lost');
    const strikes = stage.short ? [STRIKES[0]!, STRIKES[3]!] : STRIKES;
    for (const strike of strikes) {
      await scene.kill();
      strike.to(store, older);
      stage.broke('store lost', `the server is killed, its store ${strike.words}`);
      await scene.restart();
      stage.saw('started', 'on what it had in force');
      await goesOn(scene, `store ${strike.words}`);
      await rebuild(scene);
    }
    if (!stage.short) {
      for (const strike of [STRIKES[0]!, STRIKES[1]!]) {
        strike.to(store, older);
        stage.broke('store lost', `${strike.words} under the running server`);
        await stage.sleep(1_500);
        await goesOn(scene, `store ${strike.words} at run time`, false);
        await rebuild(scene);
      }
    }
    stage.expect('the store is there again', existsSync(store));
    await closeScene(scene);
  },
};

/** Lines are taken and delivered for all three, and nothing can be changed. */
async function goesOn(
  { stage, control, customers }: Scene,
  when: string,
  refuses = true,
): Promise<void> {
  const before = new Map(stage.counter.tallies().map(({ zone, delivered }) => [zone, delivered]));
  const flows = await stage.until(
    () =>
      stage.counter.tallies().every(({ zone, delivered }) => delivered > before.get(zone)! + 100),
    20_000,
  );
  stage.expect(`${when}: every customer's lines are taken and delivered`, flows !== undefined);
  if (!refuses) return;
  const { status, text } = await control.ask('POST', `/v1/jobs/${customers[0]!.job}/pause`);
  stage.expect(
    `${when}: a change is refused`,
    status === 503 && text.includes('control_read_only'),
    `${status} ${/"code":"?(\w+)/.exec(text)?.[1] ?? text.slice(0, 80)}`,
  );
}

async function rebuild({ stage, server, control, customers }: Scene): Promise<void> {
  const { code, out, said } = await runCommand(['control', 'rebuild', '--url', server.controlUrl], {
    WAYBILL_TOKEN: server.operatorToken,
  });
  stage.mended('rebuilt', (out || said).trim());
  const { jobs } = await control.must<{ readonly jobs: readonly unknown[] }>('GET', '/v1/jobs');
  stage.expect(
    'waybill control rebuild brings the configuration back',
    code === 0 && jobs.length === customers.length,
    plural(jobs.length, 'job'),
  );
}
