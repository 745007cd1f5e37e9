/** `retention`: what retention asks about, and an operator's answer. */
import type { Command } from 'commander';
import { clientOf, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { plural } from '../output.ts';

interface RetentionView {
  readonly lines: number;
  readonly goesOn: boolean;
}

type Options = Record<string, string | boolean | undefined>;

export function addRetention(program: Command, context: CliContext): void {
  withConnection(
    program
      .command('retention')
      .description(
        'whether waiting lines have become too old, and are too many to be dropped unasked',
      )
      .option('--drop <lines>', 'let it drop so many lines, as many as it asks for'),
  )
    .addHelpText(
      'after',
      '\nLines that wait for longer than the retention are dropped, told and counted as `expired`. When that would be more than\n1 % of all lines that wait it is not done unasked. It cannot be undone.\n\nExamples:\n  $ waybill retention\n  $ waybill retention --drop 120000',
    )
    .action((options: Options) => retention(context, options));
}

async function retention(context: CliContext, options: Options): Promise<void> {
  const client = clientOf(context, options);
  const { drop } = options;
  const path = '/v1/retention';
  if (drop !== undefined && !/^[1-9]\d{0,14}$/.test(String(drop))) {
    throw new CallFailed(
      '--drop takes a number of lines: the one that `waybill retention` shows',
      EXIT.misuse,
    );
  }
  const view =
    drop === undefined
      ? await client.get<RetentionView>(path)
      : await client.send<RetentionView>('POST', path, { lines: Number(drop) });
  if (options['json']) return printJson(context, view);
  context.output.out(`${sayingOf(view)}\n`);
}

function sayingOf({ goesOn, lines }: RetentionView): string {
  if (lines === 0) return 'Retention asks for nothing.';
  if (goesOn)
    return `Retention drops ${plural(lines, 'line')} now; each job's ledger says \`expired\`.`;
  return (
    `${plural(lines, 'line')} have waited for longer than the retention. They are kept until you say so:\n` +
    `  waybill retention --drop ${lines}`
  );
}
