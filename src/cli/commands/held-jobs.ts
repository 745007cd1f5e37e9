/** `jobs restore` and the list of deleted jobs: nothing narrows at once. */
import type { Command } from 'commander';
import { SCOPE_PATH } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
import { clientOf, printJson, scopeOf, wholeNumber, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { table } from '../output.ts';

interface DeletedJobView {
  readonly id: number;
  readonly name: string;
  readonly scope: Scope;
  readonly dataset: string;
  readonly destination: string;
  readonly deleted: string;
  readonly held: {
    readonly cursor: number;
    readonly head: number;
    readonly waitingLines: number;
    readonly until: string | null;
  } | null;
}

type Options = Record<string, string | boolean | undefined>;

/** Shows deleted jobs that can be restored. */
export async function listDeletedJobs(context: CliContext, options: Options): Promise<void> {
  const all = await clientOf(context, options).list<DeletedJobView>('/v1/deleted-jobs', 'jobs');
  const scope = options['account'] || options['zone'] ? scopeOf(options) : undefined;
  const jobs = all.filter(
    (job) => !scope || (job.scope.kind === scope.kind && job.scope.id === scope.id),
  );
  if (options['json']) return printJson(context, jobs);
  const { output } = context;
  if (jobs.length === 0) return output.out('No deleted jobs that can be restored.\n');
  output.out(
    `${table(
      output,
      [
        { title: 'ID', value: (job) => job.id },
        { title: 'NAME', value: (job) => job.name },
        {
          title: 'STREAM',
          value: (job) => `${SCOPE_PATH[job.scope.kind]}/${job.scope.id}/${job.dataset}`,
        },
        { title: 'DELETED', value: (job) => job.deleted },
        { title: 'HELD UNTIL', value: (job) => job.held?.until ?? null },
        { title: 'WAITING', value: (job) => job.held?.waitingLines ?? 0 },
        { title: 'DESTINATION', value: (job) => job.destination },
      ],
      jobs,
    )}\n`,
  );
}

export function addRestore(group: Command, context: CliContext): void {
  withConnection(
    group
      .command('restore <id>')
      .description('bring a deleted job back under its id')
      .option('--from <where>', 'where it goes on: stopped (where it stopped) or now', 'stopped'),
  )
    .addHelpText(
      'after',
      '\n`--from now` leaves out what it had not delivered; the books say `skipped_by_owner`.\n\nExample:\n  $ waybill jobs list --deleted\n  $ waybill jobs restore 7',
    )
    .action(async (id: string, options: Options) => {
      const from = String(options['from']);
      if (from !== 'stopped' && from !== 'now')
        throw new CallFailed('--from takes stopped or now', EXIT.misuse);
      const job = await clientOf(context, options).send<{ readonly id: number }>(
        'POST',
        `/v1/jobs/${wholeNumber(id)}/restore`,
        { from },
      );
      if (options['json']) return printJson(context, job);
      const where = from === 'now' ? 'it starts with the next line' : 'it goes on where it stopped';
      context.output.out(`Job ${job.id} restored; ${where}.\n`);
    });
}
