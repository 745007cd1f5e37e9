/** `log`: looks at a data folder from outside, without the server's own code. */
import type { Command } from 'commander';
import type { CheckDirectory, CheckReport } from '../../model/check-report.ts';
import type { FolderTools } from '../../model/folder-lines.ts';
import type { CliContext } from '../context.ts';
import { printJson } from '../context.ts';
import { EXIT } from '../control-client.ts';
import { paint, plural, table } from '../output.ts';
import { addLogLines } from './log-lines.ts';

export function addLog(
  program: Command,
  context: CliContext,
  check: CheckDirectory,
  tools: FolderTools,
  setExit: (code: number) => void,
): void {
  const group = program.command('log').description("look at a data folder's log offline");
  addLogLines(group, context, tools, setExit);
  group
    .command('check <data-dir>')
    .description('verify every checksum; touches nothing')
    .option('--books', 'recount every job from raw segments and archives')
    .option('--json', 'print JSON for scripts')
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill log check waybill-data\n  $ waybill log check --books waybill-data\n\nEnds with 1 for integrity errors, 2 when the folder is none of Waybill.',
    )
    .action(
      async (directory: string, options: { readonly books?: boolean; readonly json?: boolean }) => {
        const report = await check(directory, { books: options.books === true });
        if ('misuse' in report) {
          context.output.note(`waybill: ${report.misuse}\n`);
          return setExit(EXIT.misuse);
        }
        if (report.problems.length > 0 || report.books.some((book) => !book.balanced))
          setExit(EXIT.problem);
        if (options.json) return printJson(context, report);
        show(context, report);
      },
    );
}

function show({ output }: CliContext, report: CheckReport): void {
  output.out(
    `${report.directory}: ${plural(report.segments, 'segment')}, ${plural(report.blocks, 'block')}, ${plural(report.lines, 'line')}${report.configurationVersion === undefined ? '' : `, configuration of version ${report.configurationVersion}`}\n`,
  );
  for (const problem of report.problems)
    output.out(`${paint(output, 'red', 'damage')} ${problem}\n`);
  if (report.books.length > 0) {
    output.out(
      `\n${table(
        output,
        [
          { title: 'JOB', value: (book) => book.job },
          { title: 'STREAM', value: (book) => book.stream },
          { title: 'ACCEPTED', value: (book) => book.accepted },
          { title: 'DELIVERED', value: (book) => book.delivered },
          { title: 'EXCLUDED', value: (book) => book.excluded },
          { title: 'DROPPED', value: (book) => book.dropped },
          { title: 'WAITING', value: (book) => book.waiting },
          {
            title: 'BALANCED',
            value: (book) => (book.balanced ? 'yes' : 'NO'),
            style: (book) => (book.balanced ? 'green' : 'red'),
          },
        ],
        report.books,
      )}\n`,
    );
  }
  if (report.problems.length === 0)
    output.out(`${paint(output, 'green', 'no integrity errors')}\n`);
}
