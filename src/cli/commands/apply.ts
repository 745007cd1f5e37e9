/** `plan -f` and `apply -f`: the configuration as files. */
import type { Command } from 'commander';
import { documentChecksum } from '../../model/config-document.ts';
import { clientOf, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import type { ControlClient } from '../control-client.ts';
import { readConfig } from './config-files.ts';
import type { ReadConfig } from './config-files.ts';
import { isNothing, printPlan, printStage } from './plan-view.ts';
import type { PlanView, StageView } from './plan-view.ts';

interface Options {
  readonly file?: readonly string[];
  readonly stage?: boolean;
  readonly rest?: boolean;
  readonly status?: boolean;
  readonly drop?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly insist?: string;
}

const FILES = 'files, or folders of .yaml, .yml and .json files';

export function addPlanAndApply(
  program: Command,
  context: CliContext,
  setExit: (code: number) => void,
): void {
  withConnection(
    program
      .command('plan')
      .description('show what configuration files would change, and what the guard says of it')
      .option('-f, --file <path...>', FILES)
      .option('--stage', 'of the first stage: the tenth of the jobs with the least traffic')
      .option('--rest', 'of the rest, after the first stage'),
  ).action(async (options: Options) => {
    const config = read(context, options);
    const plan = await ask(clientOf(context, options), '/v1/plan', config, options);
    if (options.json) printJson(context, plan);
    else if (isNothing(plan)) context.output.out('Nothing to change.\n');
    else printPlan(context, plan);
    if (plan.guard) setExit(EXIT.problem);
  });
  withConnection(
    program
      .command('apply')
      .description('make the configuration what files say')
      .option('-f, --file <path...>', FILES)
      .option('--yes', 'do not ask (for scripts)')
      .option('--stage', 'first the tenth of the jobs with the least traffic')
      .option('--rest', 'then the rest, of the same files')
      .option('--status', 'show the staged apply that is open')
      .option('--drop', 'forget the rest of a staged apply'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill apply -f waybill.yaml\n  $ waybill apply -f customers/ --stage && waybill apply -f customers/ --rest\n\nSee docs/configuration-as-files.md.',
    )
    .action((options: Options) => apply(context, options));
}

async function apply(context: CliContext, options: Options): Promise<void> {
  const client = clientOf(context, options);
  if (options.status || options.drop) {
    const { stage } = options.drop
      ? await client.send<{ stage: StageView | null }>('DELETE', '/v1/apply')
      : await client.get<{ stage: StageView | null }>('/v1/apply');
    if (options.json) printJson(context, { stage });
    else if (options.drop)
      context.output.out(`Dropped; ${stage?.jobsLeft ?? 0} jobs stay as they were.\n`);
    else printStage(context, stage);
    return;
  }
  const { output } = context;
  const config = read(context, options);
  const plan = await ask(client, '/v1/plan', config, options);
  const isRefused = plan.guard !== null && options.insist === undefined;
  if (!options.json && isNothing(plan)) output.out('Nothing to change.\n');
  else if (!options.json) printPlan(context, plan, options.insist !== undefined);
  if (isNothing(plan) && !options.rest) {
    if (options.json) printJson(context, plan);
    return;
  }
  if (isRefused) throw new CallFailed('nothing was changed', EXIT.refused);
  if (!options.yes && !(await isConfirmed(context)))
    throw new CallFailed('nothing was changed', EXIT.problem);
  const made = await ask(client, '/v1/apply', config, options, plan.planned);
  if (options.json) return printJson(context, made);
  output.out(`Applied: version ${made.version}.\n`);
  if (made.stage) printStage(context, made.stage);
}

function read(context: CliContext, options: Options): ReadConfig {
  if (!options.file?.length)
    throw new CallFailed('name at least one file or folder with -f', EXIT.misuse);
  if (options.stage && options.rest)
    throw new CallFailed('give either --stage or --rest', EXIT.misuse);
  return readConfig(options.file, context.environment);
}

/** Sends the document; what the server finds wrong in it is said with file and line. */
async function ask(
  client: ControlClient,
  path: string,
  { document, place }: ReadConfig,
  options: Options,
  planned?: string,
): Promise<PlanView> {
  const stage = options.stage ? 'first' : options.rest ? 'rest' : undefined;
  try {
    return await client.send<PlanView>('POST', path, {
      document,
      checksum: documentChecksum(document),
      ...(stage ? { stage } : {}),
      ...(planned === undefined ? {} : { planned }),
    });
  } catch (error) {
    const at = error instanceof CallFailed ? error.said?.path : undefined;
    const where = at === undefined ? undefined : place(at.replace(/^document\./, ''));
    if (where === undefined || !(error instanceof CallFailed)) throw error;
    throw new CallFailed(
      `${where}: ${error.said?.message ?? error.message} [${error.said?.code ?? ''}]`,
      error.exitCode,
    );
  }
}

/** Asks on the terminal. Only `yes` is one. */
async function isConfirmed({ output, input }: CliContext): Promise<boolean> {
  if (!output.live)
    throw new CallFailed(
      'there is no terminal to ask on; --yes applies without asking',
      EXIT.misuse,
    );
  output.note('\nApply this? Only "yes" is taken: ');
  let answer = '';
  for await (const piece of input) {
    answer += piece.toString('utf8');
    if (answer.includes('\n') || answer.length > 100) break;
  }
  return answer.trim() === 'yes';
}
