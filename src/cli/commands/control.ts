/** `control`: the control store brought back from the snapshot in force, and the key that seals secrets replaced. */
import type { Command } from 'commander';
import { clientOf, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';

/** Restores the control store of a data folder that no server uses. */
export type RebuildStore = (directory: string) => Promise<RebuildReport>;

type RebuildReport =
  | { readonly kind: 'rebuilt'; readonly version: number; readonly setAside: string | null }
  | { readonly kind: 'nothing'; readonly version: number }
  | { readonly kind: 'failed'; readonly detail: string };

type Options = Record<string, string | boolean | undefined>;

export function addControl(
  program: Command,
  context: CliContext,
  rebuildStore: RebuildStore,
): void {
  const group = program
    .command('control')
    .description('the control store and the key that seals its secrets');
  addRebuild(group, context, rebuildStore);
  withConnection(
    group
      .command('rotate-key')
      .description('seal every secret with a new key, while the server runs'),
  )
    .addHelpText(
      'after',
      '\nWith the key in a file, a new one is made. With a key from the environment or a command, put the new key before the old\n' +
        'one there first (separated by a comma or a line); from the environment that takes a restart.',
    )
    .action(async (options: Options) => {
      const done = await clientOf(context, options).send<{
        readonly key: string;
        readonly resealed: number;
        readonly version: number;
      }>('POST', '/v1/control/rotate-key');
      if (options['json']) return printJson(context, done);
      context.output.out(
        `Secrets are sealed with key ${done.key}; ${done.resealed} were sealed anew (version ${done.version}).\n`,
      );
    });
}

function addRebuild(group: Command, context: CliContext, rebuildStore: RebuildStore): void {
  withConnection(
    group
      .command('rebuild')
      .description(
        'restore the control store from the snapshot in force; what lies there is set aside',
      ),
  )
    .option('--data-dir <dir>', 'of a server that does not run, instead of asking one')
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill control rebuild\n  $ waybill control rebuild --data-dir /var/lib/waybill',
    )
    .action(async (options: Options) => {
      const directory = options['dataDir'];
      const done =
        typeof directory === 'string'
          ? await rebuildStore(directory)
          : reportOf(await clientOf(context, options).send<Answer>('POST', '/v1/control/rebuild'));
      if (done.kind === 'failed') throw new CallFailed(done.detail, EXIT.problem);
      if (options['json']) return printJson(context, done);
      context.output.out(
        done.kind === 'nothing'
          ? `The control store holds version ${done.version}, which is in force: there was nothing to do.\n`
          : `The control store holds version ${done.version} again.${done.setAside === null ? '' : ` What was there is ${done.setAside} now.`}\n`,
      );
    });
}

interface Answer {
  readonly rebuilt: boolean;
  readonly version: number;
  readonly setAside: string | null;
}

function reportOf({ rebuilt, version, setAside }: Answer): RebuildReport {
  return rebuilt ? { kind: 'rebuilt', version, setAside } : { kind: 'nothing', version };
}
