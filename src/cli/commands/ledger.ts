/** `ledger`: the books of a job, a zone or an account, with their equation. */
import type { Command } from 'commander';
import { SCOPE_PATH } from '../../model/scope.ts';
import {
  clientOf,
  printJson,
  scopeOf,
  wholeNumber,
  withConnection,
  withScope,
} from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { bytes, paint, table } from '../output.ts';
import type { Output } from '../output.ts';

interface Row {
  readonly hour: string | null;
  readonly accepted: number;
  readonly waiting: number;
  readonly delivered: number;
  readonly excluded: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly notTaken: Readonly<Record<string, number>>;
  readonly balanced: boolean;
}
interface JobLedger {
  readonly job: number;
  readonly stream: string;
  readonly total: Row;
  readonly hours: readonly Row[];
}
interface ScopeLedger {
  readonly streams: readonly {
    readonly stream: string;
    readonly accepted: number;
    readonly acceptedBytes: number;
    readonly notTaken: Readonly<Record<string, number>>;
  }[];
  readonly jobs: readonly JobLedger[];
  /** Apart: their lines were accepted once, and are delivered once more. */
  readonly replays?: readonly JobLedger[];
}

type Options = Record<string, string | boolean | undefined>;

export function addLedger(
  program: Command,
  context: CliContext,
  setExit: (code: number) => void,
): void {
  withConnection(
    withScope(
      program
        .command('ledger')
        .description('the books: accepted = delivered + excluded + dropped + waiting'),
    )
      .option('--job <id>', 'of one job')
      .option('--hours <n>', 'hours to show', '24'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill ledger --job 7\n  $ waybill ledger --account acme\n\nEnds with 1 when an equation does not hold.',
    )
    .action(async (options: Options) => {
      const client = clientOf(context, options);
      const hours = wholeNumber(String(options['hours']));
      const ledger: ScopeLedger =
        options['job'] === undefined
          ? await client.get<ScopeLedger>(`${scopePath(options)}/ledger?hours=${hours}`)
          : {
              streams: [],
              jobs: [
                await client.get<JobLedger>(
                  `/v1/jobs/${wholeNumber(String(options['job']))}/ledger?hours=${hours}`,
                ),
              ],
            };
      if (
        [...ledger.jobs, ...(ledger.replays ?? [])].some(
          ({ total, hours: rows }) => !total.balanced || rows.some((row) => !row.balanced),
        )
      )
        setExit(EXIT.problem);
      if (options['json']) return printJson(context, ledger);
      const parts = [
        streamsTable(context.output, ledger),
        ...ledger.jobs.map((job) => jobTable(context.output, 'Job', job)),
        ...(ledger.replays ?? []).map((one) => jobTable(context.output, 'Replay', one)),
      ];
      context.output.out(`${parts.filter((part) => part !== '').join('\n\n')}\n`);
    });
}

function scopePath(options: Options): string {
  if (options['account'] === undefined && options['zone'] === undefined)
    throw new CallFailed(
      'say whose ledger: --job <id>, --zone <id> or --account <id>',
      EXIT.misuse,
    );
  const { kind, id } = scopeOf(options as { account?: string; zone?: string });
  return `/v1/${SCOPE_PATH[kind]}/${id}`;
}

function streamsTable(output: Output, { streams }: ScopeLedger): string {
  if (streams.length === 0) return '';
  return table(
    output,
    [
      { title: 'STREAM', value: (row) => row.stream },
      { title: 'ACCEPTED', value: (row) => row.accepted },
      { title: 'BYTES', value: (row) => bytes(row.acceptedBytes) },
      { title: 'NOT TAKEN', value: (row) => reasons(row.notTaken) },
    ],
    streams,
  );
}

function jobTable(output: Output, what: string, { job, stream, total, hours }: JobLedger): string {
  const rows = [...hours, total];
  return `${paint(output, 'bold', `${what} ${job}`)} ${stream}\n${table(
    output,
    [
      { title: 'HOUR (UTC)', value: (row) => row.hour?.slice(0, 16).replace('T', ' ') ?? 'total' },
      { title: 'ACCEPTED', value: (row) => row.accepted },
      { title: 'DELIVERED', value: (row) => row.delivered },
      { title: 'EXCLUDED', value: (row) => sum(row.excluded) },
      {
        title: 'DROPPED',
        value: (row) => sum(row.dropped),
        style: (row) => (sum(row.dropped) > 0 ? 'yellow' : undefined),
      },
      { title: 'WAITING', value: (row) => row.waiting },
      {
        title: 'BALANCED',
        value: (row) => (row.balanced ? 'yes' : 'NO'),
        style: (row) => (row.balanced ? 'green' : 'red'),
      },
      { title: 'WHY', value: (row) => reasons({ ...row.excluded, ...row.dropped }) },
    ],
    rows,
  )}`;
}

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((a, b) => a + b, 0);
const reasons = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${count.toLocaleString('en-US')}`)
    .join(', ');
