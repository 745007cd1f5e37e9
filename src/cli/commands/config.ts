/** `config`: the configuration's history, what differs between two versions, and the way back. */
import type { Command } from 'commander';
import { clientOf, printJson, wholeNumber, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { paint, plural, table } from '../output.ts';

interface ChangeView {
  readonly version: number;
  readonly at: string;
  readonly who: string;
  readonly what: string;
  readonly reason: string | null;
  readonly edits: readonly { readonly kind: string; readonly id: string }[];
}

interface ObjectView {
  readonly kind: string;
  readonly id: string;
  readonly how: 'added' | 'removed' | 'changed';
  readonly fields: readonly {
    readonly path: string;
    readonly before?: unknown;
    readonly after?: unknown;
  }[];
}

interface VersionView {
  readonly version: number;
  readonly at: string;
  readonly who: string;
  readonly address: string | null;
  readonly what: string;
  readonly voice: string | null;
  readonly reason: string | null;
  readonly objects: readonly ObjectView[];
  readonly secrets: number;
}

interface RollbackView {
  readonly dryRun: boolean;
  readonly version: number;
  readonly objects: readonly ObjectView[];
  readonly left: readonly { readonly kind: string; readonly id: string; readonly why: string }[];
  readonly more: number;
  readonly guard: { readonly code: string; readonly message: string } | null;
}

type Options = Record<string, string | boolean | undefined>;

/** Entries that `history` shows unless it is told otherwise. */
const SHOWN = 20;

export function addConfig(
  program: Command,
  context: CliContext,
  setExit: (code: number) => void,
): void {
  const group = program
    .command('config')
    .description("the configuration's history, and the way back");
  addHistory(group, context);
  addShow(group, context);
  addDiff(group, context);
  addRollback(group, context, setExit);
}

function addHistory(group: Command, context: CliContext): void {
  withConnection(
    group.command('history').description('who changed what, when and why, newest first'),
  )
    .option('--limit <n>', `entries to show [${SHOWN}]`)
    .option('--before <version>', 'only entries below this version')
    .action(async (options: Options) => {
      const limit = options['limit'] === undefined ? SHOWN : wholeNumber(String(options['limit']));
      const before =
        options['before'] === undefined ? '' : `&before=${version(String(options['before']))}`;
      const { changes } = await clientOf(context, options).get<{ changes: readonly ChangeView[] }>(
        `/v1/changes?limit=${limit}${before}`,
      );
      if (options['json']) return printJson(context, changes);
      context.output.out(
        `${table(
          context.output,
          [
            { title: 'VERSION', value: (one) => String(one.version) },
            { title: 'AT', value: (one) => one.at },
            { title: 'WHO', value: (one) => one.who },
            { title: 'WHAT', value: (one) => one.what },
            { title: 'OBJECTS', value: touched },
            { title: 'WHY', value: (one) => one.reason },
          ],
          changes,
        )}\n`,
      );
    });
}

function touched({ edits }: ChangeView): string {
  const [first] = edits;
  if (!first) return '';
  return `${first.kind} ${first.id}${edits.length > 1 ? ` and ${edits.length - 1} more` : ''}`;
}

function addShow(group: Command, context: CliContext): void {
  withConnection(
    group
      .command('show <version>')
      .description('one change, field by field; secrets are not shown'),
  ).action(async (text: string, options: Options) => {
    const shown = await clientOf(context, options).get<VersionView>(
      `/v1/config/versions/${version(text)}`,
    );
    if (options['json']) return printJson(context, shown);
    const { output } = context;
    const line = (title: string, value: string | null) =>
      value === null
        ? undefined
        : output.out(`${paint(output, 'bold', title.padEnd(8))} ${value}\n`);
    line('Version', String(shown.version));
    line('What', `${shown.what}${shown.voice === null ? '' : ` (${shown.voice})`}`);
    line('Who', `${shown.who}${shown.address === null ? '' : ` from ${shown.address}`}`);
    line('When', shown.at);
    line('Why', shown.reason);
    if (shown.secrets > 0) line('Secrets', `${shown.secrets} set, replaced or dropped`);
    showObjects(context, shown.objects);
  });
}

function addDiff(group: Command, context: CliContext): void {
  withConnection(
    group
      .command('diff <from> [to]')
      .description('what differs between two versions (to: the one in force)'),
  ).action(async (from: string, to: string | undefined, options: Options) => {
    const query = `from=${version(from)}${to === undefined ? '' : `&to=${version(to)}`}`;
    const diff = await clientOf(context, options).get<{
      readonly objects: readonly ObjectView[];
      readonly more: number;
    }>(`/v1/config/diff?${query}`);
    if (options['json']) return printJson(context, diff);
    if (diff.objects.length === 0) context.output.out('They hold the same.\n');
    showObjects(context, diff.objects);
    if (diff.more > 0) context.output.out(`and ${plural(diff.more, 'more object')}\n`);
  });
}

function addRollback(group: Command, context: CliContext, setExit: (code: number) => void): void {
  withConnection(
    group
      .command('rollback')
      .description('take one change back, or bring an account or everything back to a version'),
  )
    .option('--change <version>', 'take back what this version changed')
    .option('--to <version>', 'go back to what this version held')
    .option('--account <id>', 'with --to: only this account, its zones, jobs and tokens')
    .option(
      '--with-secrets',
      'bring old secrets back as well: credentials of destinations, revoked tokens',
    )
    .option('--dry-run', 'say what it would do, and do nothing')
    .addHelpText(
      'after',
      '\nA roll-back is a change of its own: it passes the guard, stands in the history, and can be rolled back.\n' +
        '\nExamples:\n  $ waybill config rollback --change 4711 --dry-run\n  $ waybill config rollback --to 4710 --account acme --reason "ticket 12"',
    )
    .action(async (options: Options) => {
      const number = (name: string) =>
        options[name] === undefined ? undefined : version(String(options[name]));
      const [change, to] = [number('change'), number('to')];
      if ((change === undefined) === (to === undefined))
        throw new CallFailed('give either --change <version> or --to <version>', EXIT.misuse);
      const done = await clientOf(context, options).send<RollbackView>(
        'POST',
        '/v1/config/rollback',
        {
          ...(change === undefined ? { version: to } : { change }),
          ...(options['account'] === undefined ? {} : { account: options['account'] }),
          withSecrets: options['withSecrets'] === true,
          dryRun: options['dryRun'] === true,
        },
      );
      if (done.guard) setExit(EXIT.problem);
      if (options['json']) return printJson(context, done);
      showRollback(context, done);
    });
}

function showRollback(context: CliContext, done: RollbackView): void {
  const { output } = context;
  if (done.objects.length === 0) output.out('Everything stands so already.\n');
  showObjects(context, done.objects);
  for (const { kind, id, why } of done.left)
    output.out(`${paint(output, 'yellow', 'left')} ${kind} ${id}: ${why}\n`);
  if (done.more > 0) output.out(`and ${done.more} more\n`);
  if (done.guard)
    output.out(`${paint(output, 'red', 'the guard would refuse it:')} ${done.guard.message}\n`);
  if (done.dryRun) output.out('This was a dry run: nothing was changed.\n');
  else if (done.objects.length > 0) output.out(`Version ${done.version} is in force.\n`);
}

function showObjects({ output }: CliContext, objects: readonly ObjectView[]): void {
  const style = { added: 'green', removed: 'red', changed: 'yellow' } as const;
  for (const { kind, id, how, fields } of objects) {
    output.out(`${paint(output, style[how], how)} ${kind} ${id}\n`);
    for (const { path, before, after } of fields)
      output.out(`  ${path}: ${valueText(before)} → ${valueText(after)}\n`);
  }
}

function valueText(value: unknown): string {
  return value === undefined ? '(none)' : JSON.stringify(value);
}

function version(text: string): number {
  return wholeNumber(text);
}
