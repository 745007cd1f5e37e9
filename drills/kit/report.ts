/** The report: everything that was done, seen and measured, for scripts (JSON) and for people (Markdown). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';

import type { Tally } from './counter.ts';
import type { Drill } from './drill.ts';
import type { Summary } from './histogram.ts';
import type { PhaseReport } from './phases.ts';
import { bytes, duration, number } from './text.ts';
import type { TimelineEvent } from './timeline.ts';
import type { Expectation, Verdict } from './verdict.ts';

export interface Report {
  readonly drill: string;
  readonly form: 'full' | 'short';
  readonly claim: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly machine: string;
  readonly verdict: Verdict;
  readonly customers: readonly Tally[];
  readonly phases: readonly PhaseReport[];
  readonly figures: Readonly<Record<string, string>>;
  readonly timeline: readonly TimelineEvent[];
}

export function machine(): string {
  const all = cpus();
  return `${all.length} x ${all[0]?.model.trim() ?? 'CPU'}, ${bytes(totalmem())}, ${platform()} ${release()} ${arch()}, Node ${process.version}`;
}

/** @returns the paths that were written */
export function writeReport(folder: string, report: Report, drill: Drill): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const json = join(folder, `${report.drill}.json`);
  const markdown = join(folder, `${report.drill}.md`);
  writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(markdown, asMarkdown(report, drill));
  return [json, markdown];
}

const VERDICTS: Readonly<Record<Verdict['kind'], string>> = {
  held: 'HELD',
  broken: 'BROKEN',
  incomplete: 'INCOMPLETE',
};

function asMarkdown(report: Report, drill: Drill): string {
  const { verdict } = report;
  return [
    `# Drill ${report.drill}: ${VERDICTS[verdict.kind]}`,
    '',
    drill.claim,
    '',
    `${report.form === 'short' ? 'Short form. ' : ''}Started ${report.startedAt}, took ${report.seconds} s, on ${report.machine}.`,
    '',
    '## Verdict',
    '',
    ...table(
      ['', 'expected', 'measured'],
      verdict.expectations.map((one) => [mark(one), one.what, one.measured]),
    ),
    ...verdict.notRun.map(({ what, why }) => `\nNot run: ${what}: ${why}.`),
    ...verdict.examples.map((example) => `\n- ${example}`),
    '',
    '## Lines',
    '',
    ...table(
      [
        'customer',
        'sent',
        'promised',
        'delivered',
        'missing',
        'spurious',
        'damaged',
        'repeated',
        'refused',
      ],
      report.customers.map((one) => [
        one.zone,
        ...[
          one.sent,
          one.acked,
          one.delivered,
          one.missing,
          one.spurious,
          one.damaged,
          one.repeated,
          one.refused,
        ].map(number),
      ]),
    ),
    '',
    '## Times',
    '',
    ...timesTable(report.phases),
    '',
    ...(Object.keys(report.figures).length > 0
      ? ['## Figures', '', ...table(['what', ''], Object.entries(report.figures)), '']
      : []),
    '## Timeline',
    '',
    ...table(
      ['at', 'what', ''],
      report.timeline.map(({ atS, what, detail }) => [`${atS.toFixed(1)} s`, what, detail]),
    ),
    '',
  ].join('\n');
}

export function mark({ good, judged }: Expectation): string {
  return judged ? (good ? '✓' : '✗') : good ? '(✓)' : '(✗)';
}

function timesTable(phases: readonly PhaseReport[]): string[] {
  const times = ({ count, p50Ms, p99Ms }: Summary) =>
    count === 0 ? '-' : `${duration(p50Ms)} / ${duration(p99Ms)}`;
  return [
    "p50 / p99. Answers: from a body's first attempt to its 2xx. Delay: from a line's making to its arrival, less the delivery interval. The drill's own timer: how late an idle timer of the measuring process fires, on the same processors. Processors of others: what the machine did beside the drill; times beside much of it say little.",
    '',
    ...table(
      [
        'phase',
        'length',
        'answers',
        'delay beyond the interval',
        'control API',
        'control API silent',
        "the drill's own timer late",
        'processors of others',
      ],
      phases.map((phase) => [
        phase.name,
        `${phase.seconds} s`,
        times(phase.answers),
        delayOf(phase),
        times(phase.control),
        number(phase.controlFailures),
        times(phase.lateness),
        phase.othersShare === undefined ? '-' : `${Math.round(phase.othersShare * 100)} %`,
      ]),
    ),
  ];
}

/** Customer by customer: in a drill that makes one of them suffer, the others are the point. */
function delayOf({ delays }: PhaseReport): string {
  const parts = Object.entries(delays).map(
    ([zone, { p50Ms, p99Ms }]) => `${zone} ${duration(p50Ms)} / ${duration(p99Ms)}`,
  );
  return parts.join(', ') || '-';
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...rows.map(row)];
}
