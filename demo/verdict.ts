/** Says how it ended, in words that a newcomer understands and in an exit code that a script does. */
import { basename } from 'node:path';

import { checkBooks } from './books.ts';
import { titleOf } from './cast.ts';
import { compare, isRight } from './holdings.ts';
import type { Comparison } from './holdings.ts';
import { number, plural } from './screen.ts';
import type { Screen } from './screen.ts';
import type { Stage } from './stage.ts';
import type { Traffic } from './traffic.ts';

const LINES_SHOWN = 3;

/** @returns whether every promise was kept */
export async function giveVerdict(
  stage: Stage,
  traffic: Traffic,
  screen: Screen,
): Promise<boolean> {
  const compared: Comparison[] = [];
  for (const job of stage.jobs) compared.push(await compare(job, traffic));
  screen.say();
  screen.say(
    'Every line that a producer was promised, looked for where it should be, byte for byte:',
  );
  screen.say();
  for (const one of compared) sayComparison(one, screen);
  const books = await checkBooks(stage, compared);
  screen.say();
  for (const { what, good, detail } of books) {
    screen.say(
      `  ${sign(good, screen)} ${what.padEnd(28)} ${good ? detail : screen.paint('red', detail)}`,
    );
  }
  const { complaints, repeats } = stage.receiver;
  if (repeats > 0) {
    screen.say(
      `  ${sign(true, screen)} ${'repeats'.padEnd(28)} ${plural(repeats, 'batch', 'batches')} came to the HTTP receiver twice; known by id`,
    );
  }
  for (const complaint of complaints) screen.say(`  ${sign(false, screen)} ${complaint}`);
  if (traffic.refusedLines > 0) {
    screen.say(
      `  ${sign(false, screen)} ${plural(traffic.refusedLines, 'line')} refused: ${traffic.refusal}`,
    );
  }
  const good =
    compared.every(isRight) &&
    books.every((book) => book.good) &&
    complaints.length === 0 &&
    traffic.refusedLines === 0 &&
    traffic.promisedLines > 0;
  sayConclusion(compared, good, traffic, screen);
  return good;
}

function sign(good: boolean, screen: Screen): string {
  return good ? screen.paint('green', '✓') : screen.paint('red', '✗');
}

function sayComparison(one: Comparison, screen: Screen): void {
  const { job, accepted, expected, found, objects } = one;
  const right = isRight(one);
  const promised = job.filter
    ? `${number(expected)} of ${number(accepted)} pass its filter`
    : `${number(expected)} promised`;
  const things = job.objectStore ? plural(objects, 'object') : plural(objects, 'batch', 'batches');
  const held = `${number(found)} found in ${things} (${job.place})`;
  const all = `${titleOf(job).padEnd(25)} ${promised.padEnd(32)} ${held}`;
  screen.say(`  ${sign(right, screen)} ${all}`);
  if (!right) screen.say(screen.paint('red', `      ${troubles(one)}`));
  for (const line of one.missing.slice(0, LINES_SHOWN)) say('missing', line);
  if (one.missing.length > LINES_SHOWN) {
    screen.say(
      screen.paint('red', `      ... and ${number(one.missing.length - LINES_SHOWN)} more`),
    );
  }
  for (const line of one.wrong.slice(0, LINES_SHOWN)) say('not sent so', line);
  for (const path of one.broken) screen.say(screen.paint('red', `      damaged ${basename(path)}`));

  function say(what: string, line: string): void {
    // Lines are kept as one character a byte; people read UTF-8.
    const text = Buffer.from(line, 'latin1').toString('utf8');
    const room = Math.max(40, (process.stdout.columns ?? 100) - what.length - 8);
    const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
    screen.say(`      ${screen.paint('red', what)} ${shown}`);
  }
}

function troubles({ missing, wrong, twice, broken }: Comparison): string {
  return [
    missing.length > 0 && `${number(missing.length)} missing`,
    wrong.length > 0 && `${number(wrong.length)} spurious or damaged`,
    twice > 0 && `${number(twice)} twice`,
    broken.length > 0 && `${number(broken.length)} damaged objects`,
  ]
    .filter((part) => part !== false)
    .join(', ');
}

function sayConclusion(
  compared: readonly Comparison[],
  good: boolean,
  traffic: Traffic,
  screen: Screen,
): void {
  const missing = compared.reduce((sum, one) => sum + one.missing.length, 0);
  const words = good
    ? `✓ ${plural(traffic.promisedLines, 'line')} promised, one SIGKILL: none lost, none twice, none damaged.`
    : missing > 0
      ? `✗ ${plural(missing, 'line')} missing of ${number(traffic.promisedLines)} promised.`
      : '✗ Not everything is as it must be: see above.';
  screen.say();
  screen.say(`  ${screen.paint(good ? ['bold', 'green'] : ['bold', 'red'], words)}`);
}
