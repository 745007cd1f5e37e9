/** `log list`, `log export`, `log salvage`: the lines in a data folder, without a server. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type {
  FolderTools,
  LinesWanted,
  ListedJob,
  ListedStream,
} from '../../model/folder-lines.ts';
import type { CliContext } from '../context.ts';
import { printJson } from '../context.ts';
import { EXIT } from '../control-client.ts';
import { paint, plural, table } from '../output.ts';

type SetExit = (code: number) => void;

interface ExportOptions {
  readonly stream?: string;
  readonly job?: number;
  readonly waiting?: boolean;
  readonly from?: number;
  readonly to?: number;
  readonly output?: string;
}

/** Adds the commands to the group `log`. */
export function addLogLines(
  group: Command,
  context: CliContext,
  tools: FolderTools,
  setExit: SetExit,
): void {
  const { output } = context;
  const misuse = (why: string): void => {
    output.note(`waybill: ${why}\n`);
    setExit(EXIT.misuse);
  };
  const tell = (problems: readonly string[]): void => {
    if (problems.length > 0) setExit(EXIT.problem);
    for (const problem of problems) output.note(`${paint(output, 'red', 'damage')} ${problem}\n`);
  };

  group
    .command('list <data-dir>')
    .description('streams, jobs and lines that can be read, whatever is damaged beside them')
    .option('--json', 'print JSON for scripts')
    .action(async (directory: string, options: { readonly json?: boolean }) => {
      const listing = await tools.list(directory);
      if ('misuse' in listing) return misuse(listing.misuse);
      if (options.json) printJson(context, listing);
      else showStreams(context, listing.streams, listing.jobs);
      tell(listing.problems);
    });

  group
    .command('export <data-dir>')
    .description('write lines of a stream, or of a job, as they came in')
    .option('--stream <name>', 'such as zones/shop/http_requests')
    .option('--job <id>', "the job's stream", wholeNumber)
    .option('--waiting', 'with --job: only lines that it has not settled')
    .option('--from <offset>', 'first offset', wholeNumber)
    .option('--to <offset>', 'the offset behind the last', wholeNumber)
    .option('-o, --output <file>', 'a new file; else standard output')
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill log export waybill-data --stream zones/shop/http_requests > lines.ndjson\n  $ waybill log export waybill-data --job 3 --waiting -o waiting.ndjson\n\nEnds with 1 when wanted lines are missing or anything is damaged.',
    )
    .action(async (directory: string, options: ExportOptions) => {
      const problem = wrongWith(options);
      if (problem !== undefined) return misuse(problem);
      const { output: file, waiting = false, ...rest } = options;
      const wanted: LinesWanted = { ...rest, waiting };
      const report = await tools.export(directory, wanted, file);
      if ('misuse' in report) return misuse(report.misuse);
      output.note(`${report.stream}: ${plural(report.lines, 'line')}, ${report.bytes} bytes\n`);
      if (report.missing.length > 0) setExit(EXIT.problem);
      for (const { from, to } of report.missing) {
        output.note(`${paint(output, 'red', 'missing')} offsets ${from} to ${to - 1}\n`);
      }
      tell(report.problems);
    });

  group
    .command('salvage <data-dir> <new-dir>')
    .description('write every line that can be read into a new folder, and what is missing')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nThe data folder is not changed. Indexes are made anew from the blocks; nothing of them is believed.\nThe new folder gets a file of lines for each stream, and salvage.json.',
    )
    .action(async (directory: string, target: string, options: { readonly json?: boolean }) => {
      const report = await tools.salvage(directory, target);
      if ('misuse' in report) return misuse(report.misuse);
      if (options.json) printJson(context, report);
      else showStreams(context, report.streams, report.jobs);
      for (const { missing, stream } of report.streams) {
        if (missing.length > 0) setExit(EXIT.problem);
        for (const { from, to } of missing) {
          output.note(
            `${paint(output, 'red', 'missing')} ${stream}: offsets ${from} to ${to - 1}\n`,
          );
        }
      }
      tell(report.problems);
    });
}

function wrongWith({ stream, job, waiting, from, to }: ExportOptions): string | undefined {
  if ((stream === undefined) === (job === undefined)) {
    return 'name either a stream (--stream) or a job (--job)';
  }
  if (waiting && job === undefined) return '--waiting goes with --job: lines wait for a job';
  if (from !== undefined && to !== undefined && from >= to) {
    return `--from ${from} is not before --to ${to}`;
  }
  return undefined;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) {
    throw new InvalidArgumentError('a whole number, 0 or more');
  }
  return number;
}

function showStreams(
  { output }: CliContext,
  streams: readonly ListedStream[],
  jobs: readonly ListedJob[],
): void {
  const time = (ms: number | null): string => (ms === null ? '-' : new Date(ms).toISOString());
  output.out(
    `${table(
      output,
      [
        { title: 'STREAM', value: (row) => row.stream },
        { title: 'LINES', value: (row) => row.lines },
        { title: 'BYTES', value: (row) => row.plainBytes },
        { title: 'HEAD', value: (row) => row.head },
        { title: 'FIRST', value: (row) => time(row.firstMs) },
        { title: 'LAST', value: (row) => time(row.lastMs) },
      ],
      streams,
    )}\n`,
  );
  if (jobs.length === 0) return;
  output.out(
    `\n${table(
      output,
      [
        { title: 'JOB', value: (row) => row.job },
        { title: 'STREAM', value: (row) => row.stream },
        { title: 'CURSOR', value: (row) => (row.open ? 'kept' : 'given up') },
        { title: 'WAITING', value: (row) => row.waitingLines },
      ],
      jobs,
    )}\n`,
  );
}
