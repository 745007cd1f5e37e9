/** How it ended: what was expected, what was measured, and what became of every line. */
import type { Counter, Tally } from './counter.ts';

/** One thing that must be so. */
export interface Expectation {
  readonly what: string;
  readonly good: boolean;
  readonly measured: string;
  /** False for what is measured and not judged in this form of the drill. */
  readonly judged: boolean;
}

export interface Verdict {
  /**
   * `held`: every line is accounted for and every expectation met. `broken`: not so. `incomplete`: all that was run held, but
   * a part was not run.
   */
  readonly kind: 'held' | 'broken' | 'incomplete';
  readonly lines: Totals;
  readonly expectations: readonly Expectation[];
  readonly notRun: readonly { readonly what: string; readonly why: string }[];
  /** The first few lines that are not as they must be. */
  readonly examples: readonly string[];
}

export interface Totals extends Omit<Tally, 'zone'> {
  /** Missing lines of which the product says itself what became of them: dropped, for a named reason. */
  readonly told: number;
  /** Missing lines that it says nothing of. There must be none, ever. */
  readonly lostSilently: number;
}

export function totals(tallies: readonly Tally[], told: number): Totals {
  const sum = (key: Exclude<keyof Tally, 'zone'>) =>
    tallies.reduce((all, one) => all + one[key], 0);
  const missing = sum('missing');
  return {
    sent: sum('sent'),
    acked: sum('acked'),
    delivered: sum('delivered'),
    missing,
    told,
    lostSilently: Math.max(0, missing - told),
    spurious: sum('spurious'),
    damaged: sum('damaged'),
    repeated: sum('repeated'),
    refused: sum('refused'),
    unwanted: sum('unwanted'),
  };
}

export function judge(
  lines: Totals,
  expectations: readonly Expectation[],
  notRun: Verdict['notRun'],
  examples: readonly string[],
  isWhole = true,
): Verdict {
  const all = [...linesMustBe(lines, isWhole), ...expectations];
  const broken = all.some(({ good, judged }) => judged && !good);
  const kind = broken ? 'broken' : notRun.length > 0 ? 'incomplete' : 'held';
  return { kind, lines, expectations: all, notRun, examples };
}

function linesMustBe(lines: Totals, isWhole: boolean): Expectation[] {
  const judged = true;
  const none = (what: string, count: number) => ({
    what,
    good: count === 0,
    measured: String(count),
    judged,
  });
  return [
    {
      what: 'lines were promised at all',
      good: lines.acked > 0,
      measured: lines.acked.toLocaleString('en-US'),
      judged,
    },
    // Of a drill that was cut short nobody can say what would still have come.
    none(
      isWhole ? 'lines lost silently' : 'lines still owed when it was cut short',
      lines.lostSilently,
    ),
    none('lines that nobody sent', lines.spurious),
    none('lines with a byte changed', lines.damaged),
    none('lines delivered twice, repeats marked by their batch id apart', lines.repeated),
  ];
}

/** Tries the counter itself: with one delivered line taken away it must miss exactly one more. */
export function counterBites(counter: Counter): Expectation {
  const before = counter.missing();
  const putBack = counter.takeAway();
  const noticed = counter.missing() - before;
  putBack?.();
  return {
    what: 'the counter notices when one delivered line is taken away',
    good: putBack !== undefined && noticed === 1 && counter.missing() === before,
    measured: `${noticed} missing`,
    judged: true,
  };
}
