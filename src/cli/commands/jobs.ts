/** `jobs`: what is delivered where. */
import type { Command } from 'commander';
import { SCOPE_PATH } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
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
import type { ControlClient } from '../control-client.ts';
import { bytes, duration, paint, table } from '../output.ts';
import { readJson } from './directory.ts';
import { addRestore, listDeletedJobs } from './held-jobs.ts';
import { addJobTest } from './job-test.ts';

/** A job as `/v1/jobs` shows it: its settings without secrets, and how it is doing. */
export interface JobView {
  readonly id: number;
  readonly name: string;
  readonly scope: Scope;
  readonly dataset: string;
  readonly enabled: boolean;
  readonly destination: string;
  readonly status: JobStatusView | null;
}

interface JobStatusView {
  readonly activity: string;
  readonly cursor: number;
  readonly head: number;
  readonly waitingLines: number;
  readonly waitingBytes: number;
  readonly oldestWaiting: string | null;
  readonly lastComplete: string | null;
  readonly lastError: string | null;
  readonly errorMessage: string | null;
  readonly deliveredBytes: number;
  readonly delivered: number;
}

interface AttemptView {
  readonly atMs: number;
  readonly outcome: string;
  readonly stage: string;
  readonly status: number | null;
  readonly error: string | null;
  readonly lines: number;
  readonly sentBytes: number;
  readonly durationMs: number;
}

type Options = Record<string, string | boolean | undefined>;

export function addJobs(program: Command, context: CliContext): void {
  const group = program.command('jobs').description('standing orders: which lines go where');
  addList(group, context);
  addCreate(group, context);
  addShow(group, context);
  addEdit(group, context);
  addSwitches(group, context);
  addRestore(group, context);
  addJobTest(group, context);
}

function addList(group: Command, context: CliContext): void {
  withConnection(
    withScope(
      group
        .command('list')
        .description('list jobs and how they are doing')
        .option('--deleted', 'list deleted ones that can be restored'),
    ),
  ).action(async (options: Options) => {
    if (options['deleted']) return listDeletedJobs(context, options);
    const all = await clientOf(context, options).list<JobView>('/v1/jobs', 'jobs');
    const scope = options['account'] || options['zone'] ? scopeOf(options) : undefined;
    const jobs = all.filter(
      (job) => !scope || (job.scope.kind === scope.kind && job.scope.id === scope.id),
    );
    if (options['json']) return printJson(context, jobs);
    if (jobs.length === 0)
      return context.output.out(
        'No jobs yet. `waybill jobs create --help` shows how to make one.\n',
      );
    const { output } = context;
    output.out(
      `${table(
        output,
        [
          { title: 'ID', value: (job) => job.id },
          { title: 'NAME', value: (job) => job.name },
          { title: 'STREAM', value: (job) => streamOf(job) },
          { title: 'STATE', value: stateOf, style: (job) => stateStyle(stateOf(job)) },
          { title: 'DELIVERED', value: (job) => job.status?.delivered ?? 0 },
          { title: 'WAITING', value: (job) => job.status?.waitingLines ?? 0 },
          { title: 'DESTINATION', value: (job) => job.destination },
        ],
        jobs,
      )}\n`,
    );
  });
}

const streamOf = (job: JobView) => `${SCOPE_PATH[job.scope.kind]}/${job.scope.id}/${job.dataset}`;
const stateOf = (job: JobView) => (job.enabled ? (job.status?.activity ?? 'starting') : 'off');
const stateStyle = (state: string) =>
  state === 'retrying' || state === 'blocked' ? 'red' : state === 'off' ? 'gray' : 'green';

/** Options of a job's content and bounds, as `create` and `edit` take them. */
function withContent(command: Command): Command {
  return command
    .option('--name <name>', 'name: letters, digits, - and .')
    .option(
      '--filter <json>',
      'which lines, for example {"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}',
    )
    .option('--output-options <file>', "JSON file with Logpush's output_options")
    .option('--max-upload-records <n>', 'at most so many lines a batch')
    .option('--max-upload-bytes <n>', 'at most so many bytes a batch, before compression')
    .option('--max-upload-interval-seconds <n>', 'at least so often');
}

function contentOf(options: Options): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  if (options['name'] !== undefined) body['name'] = options['name'];
  if (options['filter'] !== undefined) body['filter'] = options['filter'];
  if (options['outputOptions'] !== undefined)
    body['output_options'] = readJson(String(options['outputOptions']));
  for (const [option, field] of [
    ['maxUploadRecords', 'max_upload_records'],
    ['maxUploadBytes', 'max_upload_bytes'],
    ['maxUploadIntervalSeconds', 'max_upload_interval_seconds'],
  ] as const) {
    if (options[option] !== undefined) body[field] = wholeNumber(String(options[option]));
  }
  return body;
}

function addCreate(group: Command, context: CliContext): void {
  withConnection(
    withContent(
      withScope(
        group
          .command('create')
          .description('make a job; it starts with the next line that arrives'),
      )
        .requiredOption('--dataset <id>', 'which lines')
        .requiredOption('--destination <conf>', 'where to: s3://…, https://…, file://…')
        .option('--disabled', 'make it switched off')
        .option(
          '--start <where>',
          'begin in the past: a time as RFC 3339, oldest, or an offset (else the next line)',
        ),
    ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill jobs create --zone shop --dataset http_requests --destination "s3://logs/shop/{DATE}?region=eu-central-1&access-key-id=…&secret-access-key=…"\n  $ waybill jobs create --zone shop --dataset http_requests --destination "https://logs.example/in?header_Authorization=Bearer%20…"',
    )
    .action(async (options: Options) => {
      const scope = scopeOf(options);
      const path = options['start'] === undefined ? jobsPath(scope) : startingPath(scope);
      const job = await clientOf(context, options).send<{ id: number }>('POST', path, {
        dataset: options['dataset'],
        destination_conf: options['destination'],
        enabled: options['disabled'] !== true,
        ...(options['start'] === undefined ? {} : { start: options['start'] }),
        ...contentOf(options),
      });
      if (options['json']) printJson(context, job);
      else
        context.output.out(
          `Job ${job.id} made${options['disabled'] ? ', switched off' : ''}. \`waybill jobs show ${job.id}\` tells how it is doing.\n`,
        );
    });
}

/** Logpush's API knows no beginning in the past. */
const startingPath = ({ kind, id }: Scope) => `/v1/${SCOPE_PATH[kind]}/${id}/jobs`;
const jobsPath = ({ kind, id }: Scope) => `/client/v4/${SCOPE_PATH[kind]}/${id}/logpush/jobs`;

async function findJob(client: ControlClient, id: string): Promise<JobView> {
  return client.get<JobView>(`/v1/jobs/${wholeNumber(id)}`);
}

function addShow(group: Command, context: CliContext): void {
  withConnection(
    group.command('show <id>').description('settings, state and last attempts of a job'),
  ).action(async (id: string, options: Options) => {
    const client = clientOf(context, options);
    const job = await findJob(client, id);
    const { attempts } = await client.get<{ attempts: readonly AttemptView[] }>(
      `/v1/jobs/${job.id}/attempts?limit=10`,
    );
    if (options['json']) return printJson(context, { ...job, attempts });
    const { output } = context;
    const line = (title: string, value: string) =>
      output.out(`${paint(output, 'bold', title.padEnd(13))} ${value}\n`);
    line('Job', `${job.id}${job.name ? ` (${job.name})` : ''}`);
    line('Stream', streamOf(job));
    line('Destination', job.destination);
    line('State', paint(output, stateStyle(stateOf(job)), stateOf(job)));
    const { status } = job;
    if (status) {
      line(
        'Delivered',
        `${status.delivered.toLocaleString('en-US')} lines, ${bytes(status.deliveredBytes)}`,
      );
      line(
        'Waiting',
        `${status.waitingLines.toLocaleString('en-US')} lines, ${bytes(status.waitingBytes)}`,
      );
      line('Complete to', status.lastComplete ?? 'nothing yet');
      if (status.errorMessage !== null)
        line(
          'Last error',
          paint(output, 'red', `${status.lastError ?? ''} ${status.errorMessage}`),
        );
    }
    if (attempts.length > 0) {
      output.out(
        `\n${table(
          output,
          [
            { title: 'ATTEMPT', value: (attempt) => new Date(attempt.atMs).toISOString() },
            {
              title: 'OUTCOME',
              value: (attempt) => attempt.outcome,
              style: (attempt) => (attempt.outcome === 'accepted' ? 'green' : 'red'),
            },
            {
              title: 'STATUS',
              value: (attempt) => (attempt.status === null ? null : String(attempt.status)),
            },
            { title: 'LINES', value: (attempt) => attempt.lines },
            { title: 'SENT', value: (attempt) => bytes(attempt.sentBytes) },
            { title: 'TOOK', value: (attempt) => duration(attempt.durationMs) },
            { title: 'ERROR', value: (attempt) => attempt.error },
          ],
          attempts,
        )}\n`,
      );
    }
  });
}

function addEdit(group: Command, context: CliContext): void {
  withConnection(
    withContent(
      group.command('edit <id>').description('change a job; what is not named stays'),
    ).option('--destination <conf>', 'where to'),
  )
    .addHelpText(
      'after',
      '\nExample (a wrong key is corrected while the queue is full; the backlog follows):\n  $ waybill jobs edit 7 --destination "s3://logs/shop?region=eu-central-1&access-key-id=…&secret-access-key=…"',
    )
    .action(async (id: string, options: Options) => {
      const change = {
        ...contentOf(options),
        ...(options['destination'] === undefined
          ? {}
          : { destination_conf: options['destination'] }),
      };
      if (Object.keys(change).length === 0)
        throw new CallFailed(
          'nothing to change: name at least one option (--help lists them)',
          EXIT.misuse,
        );
      await changeJob(context, id, options, change, 'changed');
    });
}

function addSwitches(group: Command, context: CliContext): void {
  withConnection(
    group.command('pause <id>').description('stop delivering; cursor and lines are held back'),
  ).action((id: string, options: Options) =>
    changeJob(context, id, options, { enabled: false }, 'paused'),
  );
  withConnection(group.command('resume <id>').description('go on where it stopped')).action(
    (id: string, options: Options) => changeJob(context, id, options, { enabled: true }, 'resumed'),
  );
  withConnection(group.command('delete <id>').description('delete a job')).action(
    async (id: string, options: Options) => {
      const client = clientOf(context, options);
      const job = await findJob(client, id);
      await client.send('DELETE', `${jobsPath(job.scope)}/${job.id}`);
      if (options['json']) printJson(context, { id: job.id });
      else
        context.output.out(
          `Job ${job.id} deleted. What it has not delivered is held for now: \`waybill jobs restore ${job.id}\` brings it back.\n`,
        );
    },
  );
}

async function changeJob(
  context: CliContext,
  id: string,
  options: Options,
  change: Record<string, unknown>,
  done: string,
): Promise<void> {
  const client = clientOf(context, options);
  const job = await findJob(client, id);
  const answer = await client.send<unknown>('PUT', `${jobsPath(job.scope)}/${job.id}`, change);
  if (options['json']) printJson(context, answer);
  else context.output.out(`Job ${job.id} ${done}.\n`);
}
