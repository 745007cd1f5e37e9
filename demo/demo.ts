/**
 * `npm run demo`: the main job, to watch. Three customers' log lines go in, the server is killed in mid-stream and started
 * again, and in the end every line that was promised is looked for at its destination.
 *
 * The demo is a user: it knows the product by its process, ports, signals and files, and uses the producer library.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Gauge } from './gauge.ts';
import { deleteOne } from './holdings.ts';
import { HELP, readOptions } from './options.ts';
import type { DemoOptions } from './options.ts';
import { Screen, number, plural } from './screen.ts';
import { setUp } from './stage.ts';
import type { Cleanups, Stage } from './stage.ts';
import { Traffic } from './traffic.ts';
import { giveVerdict } from './verdict.ts';

const EXIT = { kept: 0, broken: 1, failed: 2, interrupted: 130 } as const;

/** How long the queue may take to empty once producers have stopped. */
const DRAIN_MS = 60_000;

async function main(): Promise<number> {
  let options: DemoOptions | 'help';
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    return EXIT.failed;
  }
  if (options === 'help') {
    process.stdout.write(HELP);
    return EXIT.kept;
  }
  const root = await folderFor(options);
  const screen = new Screen();
  const cleanups: Cleanups = [];
  const cleanUp = async () => {
    for (const end of cleanups.splice(0).toReversed()) await end().catch(() => {});
  };
  let interrupted: Promise<never> | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupted) process.exit(EXIT.interrupted);
      interrupted = (async () => {
        screen.settle();
        screen.say('Interrupted; ending everything.');
        await cleanUp();
        if (options.folder === undefined) await rm(root, { recursive: true, force: true });
        screen.end();
        process.exit(EXIT.interrupted);
      })();
    });
  }
  try {
    return (await play(options, root, screen, cleanups)) ? EXIT.kept : EXIT.broken;
  } catch (error) {
    // What fails then fails because everything is being ended.
    await interrupted;
    screen.settle();
    screen.say(screen.paint('red', `The demo could not go on: ${(error as Error).message}`));
    screen.say(`What there is lies in ${root}`);
    return EXIT.failed;
  } finally {
    await interrupted;
    await cleanUp();
    screen.end();
  }
}

async function folderFor(options: DemoOptions): Promise<string> {
  if (options.folder === undefined) return mkdtemp(join(tmpdir(), 'waybill-demo-'));
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** The whole story. @returns whether every promise was kept */
async function play(
  options: DemoOptions,
  root: string,
  screen: Screen,
  cleanups: Cleanups,
): Promise<boolean> {
  screen.say();
  screen.say(
    `  ${screen.paint('bold', 'Waybill')}: no accepted line is ever lost silently. Watch it being killed.`,
  );
  screen.say();
  const stage = await setUp(root, cleanups);
  const { s3 } = stage;
  // `stand-in (why)` where no real server can be had: the reason goes below.
  const [, kind, why] = /^(.*?)(?: \((.*)\))?$/.exec(s3?.what ?? '')!;
  const place = s3 ? `S3 (${kind})` : 'a second folder for want of S3';
  screen.step('✓', 'set up', `server, 3 customers, 4 jobs: ${place}, an HTTP receiver, folders`);
  if (why !== undefined) screen.say(screen.paint('dim', `${' '.repeat(22)}${why}`));

  const traffic = new Traffic({
    ingestUrl: stage.server.addresses.ingestUrl,
    rate: options.rate,
    tokens: stage.tokens,
  });
  const gauge = new Gauge(stage, traffic, screen);
  traffic.start();
  screen.step(
    '▶',
    'sending',
    `${traffic.producers} producers, about ${number(options.rate)} lines a second in all`,
    'cyan',
  );
  gauge.start();
  await sleep(options.seconds * 450);
  await killAndRestart(stage, traffic, gauge, screen, options);
  await sleep(options.seconds * 550);
  await drain(traffic, gauge, screen);
  await gauge.stop();
  if (options.break) await breakOne(stage, screen);
  screen.step('?', 'verdict', 'reading every delivered object back', 'cyan');
  const good = await giveVerdict(stage, traffic, screen);
  sayWhere(stage, root, screen);
  await stage.server.stop();
  return good;
}

async function killAndRestart(
  stage: Stage,
  traffic: Traffic,
  gauge: Gauge,
  screen: Screen,
  options: DemoOptions,
): Promise<void> {
  await stage.server.kill();
  const promised = traffic.promisedLines;
  const retries = traffic.retries;
  gauge.serverDown(true);
  screen.step(
    '✗',
    'SIGKILL',
    `in mid-stream, with ${plural(promised, 'line')} promised; producers go on`,
    'red',
  );
  await sleep(Math.min(1_500, options.seconds * 60));
  const startedMs = performance.now();
  await stage.server.start();
  const tookMs = performance.now() - startedMs;
  gauge.serverDown(false);
  for (let tries = 0; tries < 200 && !(await gauge.look()); tries += 1) await sleep(100);
  const lost = Math.max(0, promised - gauge.accepted());
  const took = `in ${number(tookMs)} ms, recovering`;
  if (lost === 0) screen.step('✓', 'restarted', `${took} all ${plural(promised, 'promised line')}`);
  else screen.step('✗', 'restarted', `${took} ${number(lost)} lines too few`, 'red');
  screen.step(
    '▶',
    'sending',
    `goes on; what was not answered is repeated (${plural(traffic.retries - retries, 'attempt')} so far)`,
    'cyan',
  );
}

/** Stops producers, then waits for the queue to empty. */
async function drain(traffic: Traffic, gauge: Gauge, screen: Screen): Promise<void> {
  await traffic.stop();
  const repeated = traffic.recognised;
  screen.step(
    '■',
    'draining',
    'producers have stopped, every line is answered' +
      (repeated > 0 ? `; ${plural(repeated, 'repeat')} recognised` : ''),
    'cyan',
  );
  const untilMs = performance.now() + DRAIN_MS;
  while (!(await gauge.look()) || gauge.waiting() > 0 || gauge.accepted() < traffic.promisedLines) {
    if (performance.now() > untilMs) {
      throw new Error(
        `the queue did not empty within a minute: ${gauge.complaint() ?? 'no job says why'}`,
      );
    }
    await sleep(200);
  }
  screen.step('✓', 'drained', 'nothing waits any more');
}

async function breakOne(stage: Stage, screen: Screen): Promise<void> {
  const job = stage.jobs.find(({ objectStore, filter }) => objectStore && !filter)!;
  const { path, lines } = await deleteOne(job);
  const told = `one delivered object is deleted behind everybody's back: ${plural(lines, 'line')}`;
  screen.step('✗', '--break', told, 'red');
  screen.say(screen.paint('dim', `${' '.repeat(23)}${path.slice(job.folder.length + 1)}`));
}

function sayWhere(stage: Stage, root: string, screen: Screen): void {
  const below = (path: string) => path.slice(root.length + 1);
  screen.say();
  screen.say(`  Files are in ${screen.paint('bold', root)}`);
  for (const job of stage.jobs) {
    screen.say(
      `    ${below(job.folder).padEnd(34)} ${job.name}, as ${job.place} got it (gzip; look with zcat)`,
    );
  }
  screen.say(
    `    ${below(stage.folders.data).padEnd(34)} the server's own: log, ledger, configuration`,
  );
  screen.say(`    ${below(stage.server.logPath).padEnd(34)} what the server logged`);
  screen.say();
}

process.exitCode = await main();
// Kept-alive connections of fetch would hold the process for seconds.
process.exit();
