/** `erase`: what is stored of an account's or zone's lines goes, because its owner says so. */
import type { Command } from 'commander';
import { SCOPE_PATH } from '../../model/scope.ts';
import { clientOf, printJson, scopeOf, withConnection, withScope } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { plural, table } from '../output.ts';

interface Size {
  readonly before: string;
  readonly lines: number;
  readonly waitingLines: number;
  readonly keptLines: number;
  readonly streams: readonly { readonly stream: string; readonly lines: number }[];
}

interface ErasureView {
  readonly id: string;
  readonly dataset: string | null;
  readonly before: string;
  readonly state: 'ordered' | 'in_force' | 'done';
  readonly ordered: string;
  readonly lines: number;
  readonly keptLines: number;
  readonly done: string | null;
}

type Options = Record<string, string | boolean | undefined>;

/** Streams shown before it is asked. */
const SHOWN = 10;

export function addErase(program: Command, context: CliContext): void {
  withConnection(
    withScope(
      program
        .command('erase')
        .description('erase stored lines for good: nothing reads them from then on'),
    )
      .option('--dataset <id>', 'only lines of this dataset')
      .option('--before <time>', 'only lines received before this time (RFC 3339); else all')
      .option('--yes', 'do not ask')
      .option('--list', 'list erasures and what became of them'),
  )
    .addHelpText(
      'after',
      '\nWhat was delivered already is at its destination, and stays there. The books say `erased`.\n\nExamples:\n  $ waybill erase --zone shop --before 2026-11-23T06:00:00Z\n  $ waybill erase --account acme --dataset audit_logs --reason "request 4711" --yes\n  $ waybill erase --account acme --list',
    )
    .action((options: Options) =>
      options['list'] ? list(context, options) : erase(context, options),
    );
}

async function erase(context: CliContext, options: Options): Promise<void> {
  const client = clientOf(context, options);
  const path = pathOf(options);
  const wish = {
    ...(options['dataset'] === undefined ? {} : { dataset: options['dataset'] }),
    ...(options['before'] === undefined ? {} : { before: options['before'] }),
  };
  const size = await client.send<Size>('POST', `${path}/preview`, wish);
  if (!options['yes']) {
    describe(context, size);
    if (!(await isConfirmed(context, size)))
      throw new CallFailed('nothing was erased', EXIT.misuse);
  }
  // What is confirmed is what was shown: lines that came since are not meant.
  const order = { ...wish, before: size.before };
  const made = await client.send<ErasureView>('POST', path, order);
  if (options['json']) return printJson(context, made);
  context.output.out(
    made.state === 'ordered'
      ? `Erasure ${made.id} is ordered; it is carried out as soon as the shard answers.\n`
      : `Erased ${plural(made.lines, 'line')} and ${plural(made.keptLines, 'kept line')} (erasure ${made.id}). Nothing reads them any more; their bytes leave the disk within a day.\n`,
  );
}

function describe({ output }: CliContext, { before, streams, ...size }: Size): void {
  output.note(
    `Lines received before ${before}:\n  ${plural(size.lines, 'stored line')}, of which jobs have not delivered ${size.waitingLines.toLocaleString('en-US')}\n  ${plural(size.keptLines, 'line')} kept apart\n`,
  );
  for (const { stream, lines } of streams.slice(0, SHOWN)) {
    output.note(`  ${stream}: ${plural(lines, 'line')}\n`);
  }
  if (streams.length > SHOWN) output.note(`  and ${streams.length - SHOWN} more streams\n`);
}

/** Whoever erases types how many lines: a wrong scope is seen by its number. */
async function isConfirmed({ input, output }: CliContext, size: Size): Promise<boolean> {
  const count = String(size.lines + size.keptLines);
  output.note(`This cannot be undone. Type ${count} to erase them: `);
  let typed = '';
  for await (const piece of input) {
    typed += piece.toString('utf8');
    if (typed.includes('\n')) break;
  }
  return typed.split('\n', 1)[0]?.trim() === count;
}

async function list(context: CliContext, options: Options): Promise<void> {
  const erasures = await clientOf(context, options).list<ErasureView>(pathOf(options), 'erasures');
  if (options['json']) return printJson(context, erasures);
  const { output } = context;
  if (erasures.length === 0) return output.out('No erasures.\n');
  output.out(
    `${table(
      output,
      [
        { title: 'ID', value: (one) => one.id },
        { title: 'ORDERED', value: (one) => one.ordered },
        { title: 'BEFORE', value: (one) => one.before },
        { title: 'DATASET', value: (one) => one.dataset ?? 'all' },
        { title: 'LINES', value: (one) => one.lines },
        { title: 'KEPT LINES', value: (one) => one.keptLines },
        { title: 'STATE', value: (one) => one.state.replace('_', ' ') },
        { title: 'BYTES GONE', value: (one) => one.done },
      ],
      erasures,
    )}\n`,
  );
}

function pathOf(options: Options): string {
  const { id, kind } = scopeOf(options as { account?: string; zone?: string });
  return `/v1/${SCOPE_PATH[kind]}/${id}/erasures`;
}
