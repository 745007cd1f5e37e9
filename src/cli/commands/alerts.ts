/** `alerts`: what the watchdogs have found. */
import type { Command } from 'commander';
import { clientOf, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../control-client.ts';
import type { ControlClient } from '../control-client.ts';
import { paint, plural } from '../output.ts';
import type { Output } from '../output.ts';

interface AlertView {
  readonly severity: 'critical' | 'warning';
  readonly state: 'firing' | 'resolved';
  readonly title: string;
  readonly subject: string;
  readonly account: string | null;
  readonly since: string;
  readonly resolved: string | null;
  readonly times: number;
  readonly text: string;
  readonly advice: string;
}

type Options = Record<string, string | boolean | undefined>;

export function addAlerts(
  program: Command,
  context: CliContext,
  setExit: (code: number) => void,
): void {
  withConnection(
    program
      .command('alerts')
      .description('what the watchdogs have found, with what to do about it')
      .option('--all', 'also those that are over')
      .option('--account <id>', 'only those of one account'),
  )
    .addHelpText('after', '\nEnds with 1 when one fires.')
    .action(async (options: Options) => {
      const { account } = options;
      const query = [
        `state=${options['all'] === true ? 'all' : 'firing'}`,
        ...(typeof account === 'string' ? [`account=${encodeURIComponent(account)}`] : []),
      ].join('&');
      const alerts = await clientOf(context, options).list<AlertView>(
        `/v1/alerts?${query}`,
        'alerts',
      );
      const firing = alerts.filter(({ state }) => state === 'firing');
      if (firing.length > 0) setExit(EXIT.problem);
      if (options['json']) return printJson(context, alerts);
      const { output } = context;
      if (alerts.length === 0) return output.out('No alert fires.\n');
      output.out(`${alerts.map((alert) => paragraph(output, alert)).join('\n\n')}\n`);
      output.note(
        `\n${firing.length === 0 ? 'No alert fires' : `${plural(firing.length, 'alert')} firing`}.\n`,
      );
    });
}

/** Those that fire; none from a server that has no watchdogs. */
export async function firingAlerts(client: ControlClient): Promise<readonly AlertView[]> {
  return await client.list<AlertView>('/v1/alerts', 'alerts');
}

/** One line of `status`. */
export function alertLine(output: Output, alert: AlertView): string {
  return paint(output, colourOf(alert), `${alert.subject}: ${alert.title}. ${alert.text}`);
}

function paragraph(output: Output, alert: AlertView): string {
  const { state, severity, subject, title, account, since, resolved, times, text, advice } = alert;
  const mark = state === 'firing' ? severity.toUpperCase() : 'over';
  const owner = account === null ? '' : ` (account ${account})`;
  const until = resolved === null ? '' : ` until ${resolved}`;
  const often = times === 1 ? '' : `, ${times} times so far`;
  return [
    paint(output, colourOf(alert), `${mark}  ${subject}${owner}: ${title}`),
    `  ${text}`,
    `  ${paint(output, 'gray', `Since ${since}${until}${often}.`)}`,
    ...(state === 'firing' ? [`  ${advice}`] : []),
  ].join('\n');
}

function colourOf({ state, severity }: AlertView): 'red' | 'yellow' | 'gray' {
  if (state === 'resolved') return 'gray';
  return severity === 'critical' ? 'red' : 'yellow';
}
