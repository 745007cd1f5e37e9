/** Act one: a generator hands out a blank configuration, by every way there is. It is refused everywhere, and delivery goes on. */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Lie } from '../kit/between.ts';
import { CUSTOMER_DATASET } from '../kit/customer.ts';
import type { Forwarder } from '../kit/forwarder.ts';
import { runCommand } from '../kit/process.ts';
import { Producer } from '../kit/producer.ts';
import type { Scene } from '../kit/scene.ts';
import { THREE } from '../kit/scene.ts';
import { plural } from '../kit/text.ts';
import { startForwarder } from './cast.ts';
import type { Cast } from './cast.ts';

/** What a broken generator may publish as the wanted set. */
const LIES: readonly { readonly words: string; readonly lie: Lie }[] = [
  {
    words: 'the real one with its streams taken out',
    lie: ({ text }) => ({ status: 200, body: without(text) }),
  },
  { words: 'an empty answer', lie: () => ({ status: 200, body: '' }) },
  { words: 'an empty object', lie: () => ({ status: 200, body: '{}' }) },
  {
    words: 'the real one cut in half',
    lie: ({ text }) => ({ status: 200, body: text.slice(0, text.length / 2) }),
  },
  { words: 'nothing there', lie: () => ({ status: 404, body: '{}' }) },
];

function without(text: string): string {
  if (text === '') return '';
  return JSON.stringify({ ...(JSON.parse(text) as object), count: 0, streams: [] });
}

export async function actOne(cast: Cast): Promise<void> {
  const { stage } = cast.scene;
  stage.phases.begin('act one');
  await blankByFile(cast.scene);
  await blankByApi(cast);
  await blankByStore(cast.scene);
  await blankWantedSet(cast);
}

/** What a broken generator may leave. The first is whole in its form: only the guard can refuse it. */
const BLANK_FILES = [
  {
    words: 'a whole document that says that nobody is all there is',
    text: 'waybill: 1\ncomplete: true\naccounts: []\nexpect: { accounts: 0, jobs: 0 }\n',
  },
  { words: 'an empty file', text: '' },
  { words: 'nothing but a comment', text: '# made by the generator\n' },
  { words: 'a document without anything', text: '{}\n' },
  { words: 'a document that was cut off', text: 'waybill: 1\ncomplete: true\naccounts: []\n' },
] as const;

/** `waybill apply -f` with files that a broken generator leaves. */
async function blankByFile(scene: Scene): Promise<void> {
  const { stage, server } = scene;
  const connection = ['--url', server.controlUrl];
  const environment = { WAYBILL_TOKEN: server.operatorToken };
  const help = await runCommand(['apply', '--help']);
  if (help.code !== 0 || !/apply/.test(help.out)) {
    stage.notRun('a blank configuration by file', 'this build has no `waybill apply`');
    return;
  }
  const files = stage.short ? BLANK_FILES.slice(0, 2) : BLANK_FILES;
  for (const { words, text } of files) {
    const path = join(stage.folder, 'generated.yaml');
    writeFileSync(path, text);
    const { code, said, out } = await runCommand(
      ['apply', '-f', path, '--yes', ...connection],
      environment,
    );
    stage.broke('by file', `${words}: ${firstLine(said || out)}`);
    stage.expect(
      `a blank configuration by file (${words}) is refused`,
      code !== 0,
      `exit code ${code}`,
    );
    await goesOn(scene, `after ${words}`);
  }
}

/** The API is told to go back to a version in which there was nobody. */
async function blankByApi({ scene, blankVersion }: Cast): Promise<void> {
  const { stage, control } = scene;
  const { status, text } = await control.ask('POST', '/v1/config/rollback', {
    body: { version: blankVersion },
  });
  const said = /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.slice(0, 200);
  stage.broke('by API', `a configuration with nobody in it: ${status}, ${said}`);
  stage.expect(
    'a blank configuration by API is refused by the guard',
    status === 422 && text.includes('guard_refused'),
    `${status}`,
  );
  await goesOn(scene, 'after the blank configuration by API');
}

/** The store is blanked under the running server. */
async function blankByStore(scene: Scene): Promise<void> {
  const { stage, server, control } = scene;
  truncateSync(join(server.dataDir, 'control.db'), 0);
  stage.broke('by store', 'the store of the configuration is blank, under the running server');
  await goesOn(scene, 'after the store was blanked');
  const { status, text } = await control.ask('POST', '/v1/control/rebuild');
  stage.mended('rebuilt', `the store, from what is in force: ${status} ${text.slice(0, 120)}`);
  stage.expect('the store is rebuilt from what is in force', status === 200, status);
}

/** Forwarders are handed a blank wanted set: one that runs, one that starts, and one that never had a set. */
async function blankWantedSet(cast: Cast): Promise<void> {
  const { scene, forwarders, between, token } = cast;
  const { stage } = scene;
  for (const { words, lie } of stage.short ? LIES.slice(0, 2) : LIES) {
    const before = between.lies;
    between.change({ lie });
    const heard = await stage.until(() => between.lies >= before + forwarders.length, 15_000);
    await stage.sleep(300);
    stage.broke('wanted set', `${words}, to running forwarders`);
    stage.expect(`the lie (${words}) was heard`, heard !== undefined);
    for (const forwarder of forwarders) await keepsItsSet(scene, forwarder, words);
  }
  const [first] = forwarders;
  await first!.kill();
  await first!.start();
  stage.broke(
    'wanted set',
    `a blank one to a forwarder that starts: ${first!.name} was killed and is back`,
  );
  await keepsItsSet(scene, first!, 'at its start');
  await goesOn(scene, 'with blank wanted sets everywhere');

  const fresh = await startForwarder(stage, scene, between, token, 'edge-new');
  const sending = lateProducer(scene, fresh);
  await Promise.all(Array.from({ length: 10 }, () => sending.send(20)));
  const status = await fresh.status();
  stage.saw(
    'edge-new',
    `never had a set: ${status.wanted.state}; ${plural(status.spool.waitingLines, 'line')} spooled, none sent`,
  );
  stage.expect(
    'a forwarder that never had a set sends neither all nor nothing: it spools',
    status.wanted.state === 'none' &&
      status.spool.waitingLines === 200 &&
      status.lines.delivered === 0,
    `${status.wanted.state}, ${plural(status.spool.waitingLines, 'line')} waiting, ${status.lines.delivered} sent`,
  );
  between.change({});
  stage.mended('wanted set', 'the real one again');
  const sent = await stage.until(
    async () => (await fresh.status()).spool.waitingLines === 0,
    30_000,
  );
  stage.expect('what it spooled is sent once it knows', sent !== undefined);
  await sending.stop();
  await fresh.stop();
}

async function keepsItsSet({ stage }: Scene, forwarder: Forwarder, when: string): Promise<void> {
  const { wanted } = await forwarder.status();
  stage.expect(
    `${forwarder.name} keeps its wanted set (${when})`,
    wanted.streams === THREE.length && wanted.state !== 'none',
    `${wanted.state}, ${plural(wanted.streams ?? 0, 'stream')}${wanted.problem === null ? '' : `: ${wanted.problem}`}`,
  );
}

function lateProducer(scene: Scene, forwarder: Forwarder): Producer {
  return new Producer({
    zone: THREE[0]!.zone,
    target: () => ({
      url: `${forwarder.url}/v1/ingest/zones/${THREE[0]!.zone}/${CUSTOMER_DATASET}`,
      headers: {},
    }),
    linesPerBody: 20,
    bodiesPerSecond: 1,
    counter: scene.stage.counter,
    phases: scene.stage.phases,
  });
}

/** Every configured customer's lines are taken as wanted, and delivered. */
async function goesOn(scene: Scene, when: string): Promise<void> {
  const { stage } = scene;
  const before = new Map(stage.counter.tallies().map(({ zone, delivered }) => [zone, delivered]));
  const flows = await stage.until(() => {
    scene.look();
    return stage.counter
      .tallies()
      .every(({ zone, delivered }) => delivered > (before.get(zone) ?? 0));
  }, 30_000);
  const unwanted = stage.counter.tallies().reduce((sum, one) => sum + one.unwanted, 0);
  stage.expect(
    `delivery goes on for every customer ${when}`,
    flows !== undefined && unwanted === 0,
    unwanted === 0 ? '' : `${plural(unwanted, 'line')} called unwanted`,
  );
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
