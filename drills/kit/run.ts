/** Runs one drill: a folder, bounds on time and disk, the verdict, the report, and nothing left running behind it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { folderBytes, freeBytes } from './disk.ts';
import type { Drill } from './drill.ts';
import type { RunOptions } from './options.ts';
import { machine, mark, writeReport } from './report.ts';
import type { Report } from './report.ts';
import { Screen } from './screen.ts';
import { Stage } from './stage.ts';
import { bytes, number, plural } from './text.ts';
import { Timeline } from './timeline.ts';
import { counterBites, judge, totals } from './verdict.ts';

/** What a drill may have on disk at once, and what must be free before it starts. */
const DISK_BYTES = 3e9;
const DISK_FREE_BYTES = 5e9;
const LOOK_MS = 250;
const LOOK_AT_DISK_MS = 2_000;

/** Why a drill was ended from outside. */
class Ended extends Error {}

/** @returns the report, and whether somebody interrupted */
export async function runDrill(drill: Drill, options: RunOptions): Promise<Report | 'interrupted'> {
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const free = freeBytes(tmpdir());
  if (free < DISK_FREE_BYTES) {
    throw new Error(
      `a drill needs ${bytes(DISK_FREE_BYTES)} of free disk in ${tmpdir()}; there are ${bytes(free)}`,
    );
  }
  const ending = new AbortController();
  const timeline = new Timeline((event) => screen.event(event));
  const stage = new Stage({
    folder: mkdtempSync(join(tmpdir(), 'waybill-drill-')),
    short: options.short,
    takeAway: options.takeAway,
    only: options.only,
    timeline,
    signal: ending.signal,
  });
  const interrupted = onInterrupt(() => ending.abort(new Ended('interrupted')));
  const startedAt = new Date().toISOString();
  sayTitle(screen, drill, options);
  const watch = watchBounds(drill, stage, screen, ending);
  const forgetLateness = stage.phases.watchOwnLateness();
  try {
    await drill.run(stage);
    stage.isWhole = true;
  } catch (error) {
    const reason = ending.signal.aborted ? (ending.signal.reason as Error) : (error as Error);
    const words = reason instanceof Ended ? reason.message : told(reason);
    stage.expect('the drill comes to its end', false, words);
  } finally {
    watch.stop();
    forgetLateness();
    screen.settle();
    await stage.cleanUp();
    interrupted.forget();
  }
  const report = reportOf(drill, stage, startedAt);
  if (interrupted.yes) screen.say('\nInterrupted; everything has been ended.');
  else {
    sayVerdict(screen, report, stage.isWhole);
    const paths = writeReport(options.report, report, drill);
    screen.say(`  Report: ${paths.join(', ')}`);
  }
  if (options.keep) screen.say(`  Folder: ${stage.folder}`);
  else rmSync(stage.folder, { recursive: true, force: true, maxRetries: 5 });
  screen.end();
  return interrupted.yes ? 'interrupted' : report;
}

/** What went wrong, and where in the drill. */
function told({ message, stack = '' }: Error): string {
  const at = stack.split('\n').find((line) => line.includes('/drills/') && !line.includes('/kit/'));
  return at === undefined
    ? message
    : `${message} (${at
        .trim()
        .replace(/^at .*\/drills\//, 'drills/')
        .replace(/\)$/, '')})`;
}

function reportOf(drill: Drill, stage: Stage, startedAt: string): Report {
  const expectations = [...stage.expectations, counterBites(stage.counter)];
  const customers = stage.counter.tallies();
  const examples = [
    ...stage.counter.examples,
    ...customers.flatMap(({ zone }) =>
      stage.told > 0
        ? []
        : stage.counter.missingNumbers(zone, 3).map((n) => `missing at ${zone}: line ${n}`),
    ),
  ];
  return {
    drill: drill.name,
    form: stage.short ? 'short' : 'full',
    claim: drill.claim,
    startedAt,
    seconds: Math.round(stage.timeline.seconds * 10) / 10,
    machine: machine(),
    verdict: judge(
      totals(customers, stage.told),
      expectations,
      stage.partsNotRun,
      examples,
      stage.isWhole,
    ),
    customers,
    phases: stage.phases.report(),
    figures: Object.fromEntries(stage.figures),
    timeline: stage.timeline.events,
  };
}

/** Ends a drill that takes too long or too much disk, and draws how things stand. */
function watchBounds(drill: Drill, stage: Stage, screen: Screen, ending: AbortController) {
  const atMostS = stage.short ? drill.atMostS.short : drill.atMostS.full;
  const late = setTimeout(
    () => ending.abort(new Ended(`not within ${atMostS} s`)),
    atMostS * 1_000,
  );
  const disk = setInterval(() => {
    const used = folderBytes(stage.folder);
    if (used > DISK_BYTES)
      ending.abort(new Ended(`it took more than ${bytes(DISK_BYTES)} of disk`));
  }, LOOK_AT_DISK_MS);
  const gauge = setInterval(() => {
    const drawn = stage.gauge?.();
    if (drawn) screen.show(drawn.lines, drawn.plain);
  }, LOOK_MS);
  return {
    stop() {
      clearTimeout(late);
      clearInterval(disk);
      clearInterval(gauge);
    },
  };
}

/** The first Ctrl-C ends the drill in order; a second one at once. */
function onInterrupt(end: () => void) {
  const state = { yes: false };
  const heard = () => {
    if (state.yes) process.exit(130);
    state.yes = true;
    end();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, heard);
  return {
    get yes() {
      return state.yes;
    },
    forget() {
      for (const signal of signals) process.off(signal, heard);
    },
  };
}

function sayTitle(screen: Screen, drill: Drill, { short }: RunOptions): void {
  screen.say();
  screen.say(
    `  ${screen.paint('bold', `Drill ${drill.name}`)}: ${drill.title}${short ? ', short form' : ''}`,
  );
  screen.say(`  ${screen.paint('dim', drill.claim)}`);
  screen.say();
}

function sayVerdict(screen: Screen, { verdict }: Report, isWhole: boolean): void {
  screen.say();
  for (const one of verdict.expectations) {
    const style = one.good ? 'green' : one.judged ? 'red' : 'yellow';
    screen.say(
      `  ${screen.paint(style, mark(one))} ${one.what}${one.measured === '' ? '' : `: ${one.measured}`}`,
    );
  }
  for (const { what, why } of verdict.notRun) {
    screen.say(`  ${screen.paint('yellow', '–')} not run: ${what}: ${why}`);
  }
  for (const example of verdict.examples) screen.say(screen.paint('red', `      ${example}`));
  const { lines } = verdict;
  const sum = `${plural(lines.acked, 'line')} promised, ${number(lines.delivered)} delivered`;
  const told = lines.told > 0 ? `, ${number(lines.told)} not delivered and told of` : '';
  const words = {
    held: `✓ HELD. ${sum}${told}: none lost silently.`,
    incomplete: `– INCOMPLETE. What was run held: ${sum}${told}, none lost silently.`,
    broken: `✗ BROKEN. ${sum}${told}, ${number(lines.lostSilently)} ${isWhole ? 'lost silently' : 'still owed when it was cut short'}; see above.`,
  }[verdict.kind];
  const style = { held: 'green', incomplete: 'yellow', broken: 'red' } as const;
  screen.say();
  screen.say(`  ${screen.paint(['bold', style[verdict.kind]], words)}`);
}
