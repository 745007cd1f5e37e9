import type { Command } from 'commander';
import { clientOf, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../control-client.ts';
import { bytes, paint, plural } from '../output.ts';
import { alertLine, firingAlerts } from './alerts.ts';
import type { JobView } from './jobs.ts';

interface ServerStatus {
  readonly version: string;
  readonly durability: string;
  readonly started: string;
  readonly configuration: {
    readonly version: number;
    readonly readOnly: { readonly detail: string; readonly since: string } | null;
    readonly copyDamage: string | null;
  };
  readonly shards: readonly Readonly<Record<string, string | number | boolean | null>>[];
}

/** `status`: whether all is well, on one screen. Ends with 1 when something is not. */
export function addStatus(
  program: Command,
  context: CliContext,
  setExit: (code: number) => void,
): void {
  withConnection(program.command('status').description('how the server and its jobs are doing'))
    .addHelpText(
      'after',
      '\nEnds with 1 when a shard is down, a job does not get through, or nothing can be changed.',
    )
    .action(async (options: Record<string, string | boolean | undefined>) => {
      const client = clientOf(context, options);
      const status = await client.get<ServerStatus>('/v1/status');
      const jobs = await client.list<JobView>('/v1/jobs', 'jobs');
      const failing = jobs.filter(
        (job) => job.enabled && ['retrying', 'blocked'].includes(job.status?.activity ?? ''),
      );
      const down = status.shards.filter((shard) => shard['state'] !== 'running');
      const alerts = await firingAlerts(client);
      if (alerts.length > 0) setExit(EXIT.problem);
      const { version, readOnly, copyDamage } = status.configuration;
      const isWrong = readOnly !== null || copyDamage !== null;
      if (failing.length > 0 || down.length > 0 || isWrong) setExit(EXIT.problem);
      if (options['json'])
        return printJson(context, {
          ...status,
          jobs: jobs.length,
          failingJobs: failing.map((job) => job.id),
          alerts,
        });
      const { output } = context;
      const line = (title: string, value: string) =>
        output.out(`${paint(output, 'bold', title.padEnd(11))} ${value}\n`);
      line(
        'Waybill',
        `${status.version}, since ${status.started}, durable on ${status.durability}`,
      );
      line(
        'Control',
        readOnly === null
          ? `version ${version} in force`
          : paint(
              output,
              'red',
              `version ${version} in force, and nothing can be changed since ${readOnly.since}`,
            ),
      );
      if (readOnly !== null)
        line(
          '',
          `${readOnly.detail} Lines are taken and delivered as before. Run \`waybill control rebuild\`.`,
        );
      if (copyDamage !== null)
        line('', paint(output, 'red', `snapshots were damaged at the start: ${copyDamage}`));
      for (const shard of status.shards) {
        line(
          `Shard ${String(shard['shard'])}`,
          shard['state'] === 'running'
            ? `${plural(Number(shard['streams']), 'stream')}, ${bytes(Number(shard['heldBytes']))} on disk, disk ${Math.round(Number(shard['diskUsedShare']) * 100)} % full`
            : paint(output, 'red', String(shard['state'])),
        );
        if (Number(shard['corruptLines']) > 0)
          line(
            '',
            paint(output, 'red', `${String(shard['corruptLines'])} lines cannot be read back`),
          );
      }
      for (const shard of status.shards) {
        const asks = Number(shard['expiryAsksForLines'] ?? 0);
        if (asks === 0) continue;
        line(
          'Retention',
          paint(output, 'red', `${plural(asks, 'line')} too old, and kept: \`waybill retention\``),
        );
      }
      const waiting = jobs.reduce((sum, job) => sum + (job.status?.waitingLines ?? 0), 0);
      line(
        'Jobs',
        `${jobs.length}, ${jobs.filter((job) => job.enabled).length} on, ${waiting.toLocaleString('en-US')} lines waiting`,
      );
      for (const job of failing.slice(0, 10))
        line(
          '',
          paint(
            output,
            'red',
            `job ${job.id} ${job.status!.activity}: ${job.status!.errorMessage ?? 'no answer yet'}`,
          ),
        );
      if (failing.length > 10) line('', `and ${failing.length - 10} more`);
      if (alerts.length > 0) line('Alerts', plural(alerts.length, 'alert'));
      for (const alert of alerts.slice(0, 10)) line('', alertLine(output, alert));
      if (alerts.length > 10) line('', `and ${alerts.length - 10} more: waybill alerts`);
    });
}
