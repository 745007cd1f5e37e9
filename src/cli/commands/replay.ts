/** `replay` and `replays`: lines that are still held, delivered once more. */
import type { Command } from 'commander';
import { clientOf, printJson, wholeNumber, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { paint, plural, table } from '../output.ts';

interface ReplayView {
  readonly id: number;
  readonly job: number;
  readonly stream: string;
  readonly state: 'running' | 'done' | 'cancelled';
  readonly activity: string | null;
  readonly from: number;
  readonly to: number;
  readonly lines: number;
  readonly waiting: number;
  readonly gone: number;
  readonly delivered: number;
  readonly excluded: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly goneSince: string | null;
  readonly destination: string | null;
  readonly created: string;
  readonly ended: string | null;
  readonly errorMessage: string | null;
}

type Options = Record<string, string | boolean | undefined>;

export function addReplay(program: Command, context: CliContext): void {
  withConnection(
    program
      .command('replay <job>')
      .description("deliver a range of a job's stream once more, behind live delivery")
      .requiredOption('--from <where>', 'first line: a time as RFC 3339, oldest, or an offset')
      .option('--to <where>', 'behind the last line: a time as RFC 3339, now, or an offset', 'now')
      .option('--destination <conf>', "another place (else the job's own)")
      .option('--ownership-challenge <token>', 'proof that the place may be delivered to')
      .option('--allow-gap', 'begin with the oldest line that is held when older ones are gone'),
  )
    .addHelpText(
      'after',
      '\nThe job itself and its books are not touched; objects have other names than the first time.\n\nExamples:\n  $ waybill replay 7 --from 2026-11-23T06:00:00Z --to 2026-11-23T07:00:00Z\n  $ waybill replay 7 --from oldest --destination "s3://audit/again?region=eu-central-1&access-key-id=…&secret-access-key=…"\n  $ waybill replays show 12',
    )
    .action(async (job: string, options: Options) => {
      const replay = await clientOf(context, options).send<ReplayView>(
        'POST',
        `/v1/jobs/${wholeNumber(job)}/replays`,
        {
          from: options['from'],
          to: options['to'],
          ...(options['destination'] === undefined
            ? {}
            : { destination_conf: options['destination'] }),
          ...(options['ownershipChallenge'] === undefined
            ? {}
            : { ownership_challenge: options['ownershipChallenge'] }),
          allow_gap: options['allowGap'] === true,
        },
      );
      if (options['json']) return printJson(context, replay);
      const gap =
        replay.goneSince === null
          ? ''
          : ` Older lines are not held any more: all are there since ${replay.goneSince}.`;
      context.output.out(
        `Replay ${replay.id} of ${plural(replay.lines, 'line')} (offsets ${replay.from} to ${replay.to}) has begun.${gap} \`waybill replays show ${replay.id}\` tells how far it is.\n`,
      );
    });
  const group = program.command('replays').description('replays and how far they are');
  addList(group, context);
  addShow(group, context);
  addCancel(group, context);
}

function addList(group: Command, context: CliContext): void {
  withConnection(
    group.command('list').description('list replays').option('--job <id>', 'of one job'),
  ).action(async (options: Options) => {
    const query = options['job'] === undefined ? '' : `?job=${wholeNumber(String(options['job']))}`;
    const replays = await clientOf(context, options).list<ReplayView>(
      `/v1/replays${query}`,
      'replays',
    );
    if (options['json']) return printJson(context, replays);
    const { output } = context;
    if (replays.length === 0) return output.out('No replays.\n');
    output.out(
      `${table(
        output,
        [
          { title: 'ID', value: (one) => one.id },
          { title: 'JOB', value: (one) => one.job },
          { title: 'STREAM', value: (one) => one.stream },
          { title: 'STATE', value: stateOf },
          { title: 'LINES', value: (one) => one.lines },
          { title: 'DELIVERED', value: (one) => one.delivered },
          { title: 'WAITING', value: (one) => one.waiting },
          { title: 'DESTINATION', value: (one) => one.destination ?? 'as the job' },
        ],
        replays,
      )}\n`,
    );
  });
}

function addShow(group: Command, context: CliContext): void {
  withConnection(group.command('show <id>').description('how far a replay is')).action(
    async (id: string, options: Options) => {
      const replay = await clientOf(context, options).get<ReplayView>(
        `/v1/replays/${wholeNumber(id)}`,
      );
      if (options['json']) return printJson(context, replay);
      const { output } = context;
      const line = (title: string, value: string) =>
        output.out(`${paint(output, 'bold', title.padEnd(13))} ${value}\n`);
      line('Replay', `${replay.id} of job ${replay.job}, ${replay.stream}`);
      line('Lines', `${plural(replay.lines, 'line')}, offsets ${replay.from} to ${replay.to}`);
      line('Destination', replay.destination ?? 'as the job');
      line('State', stateOf(replay));
      const settled = replay.lines - replay.waiting;
      const share = replay.lines === 0 ? 1 : settled / replay.lines;
      line(
        'Progress',
        `${Math.floor(share * 100)} %, ${plural(replay.delivered, 'line')} delivered`,
      );
      for (const [title, counts] of [
        ['Excluded', replay.excluded],
        ['Dropped', replay.dropped],
      ] as const) {
        const said = Object.entries(counts).map(([reason, lines]) => `${reason} ${lines}`);
        if (said.length > 0) line(title, said.join(', '));
      }
      if (replay.gone > 0)
        line('Gone', `${plural(replay.gone, 'line')} were not held any more when it began`);
      if (replay.goneSince !== null) line('Gone', `lines before ${replay.goneSince}`);
      if (replay.errorMessage !== null) line('Last error', replay.errorMessage);
    },
  );
}

function addCancel(group: Command, context: CliContext): void {
  withConnection(
    group.command('cancel <id>').description('end a replay; what it has delivered stays'),
  ).action(async (id: string, options: Options) => {
    const replay = await clientOf(context, options).send<ReplayView>(
      'POST',
      `/v1/replays/${wholeNumber(id)}/cancel`,
    );
    if (options['json']) printJson(context, replay);
    else context.output.out(`Replay ${replay.id} is ${replay.state}.\n`);
  });
}

const stateOf = ({ activity, state }: ReplayView): string =>
  state === 'running' ? (activity ?? 'starting') : state;
