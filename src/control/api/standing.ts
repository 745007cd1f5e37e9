/** How the configuration stands, in status and metrics. */
import { exposition } from '../../ledger/index.ts';
import type { Standing } from '../snapshots/copied-store.ts';

const ADVICE =
  'Lines are taken and delivered as before. Run `waybill control rebuild`: it restores the control store from the snapshot in force and sets aside what lies there.';

export function standingView({
  sum,
  readOnly,
  copyDamage,
}: Standing): Readonly<Record<string, unknown>> {
  return {
    checksum: sum,
    readOnly: readOnly
      ? {
          trouble: readOnly.trouble,
          detail: readOnly.detail,
          since: new Date(readOnly.sinceMs).toISOString(),
          advice: ADVICE,
        }
      : null,
    copyDamage: copyDamage ?? null,
  };
}

/** Series of the configuration, which are there whether the shards answer or not. */
export function configurationMetrics({ version, readOnly, copyDamage }: Standing): string {
  const one = (name: string, help: string, value: number) =>
    ({ name: `waybill_${name}`, type: 'gauge', help, series: [{ value }] }) as const;
  return exposition([
    one('configuration_version', 'Version of the configuration in force.', version),
    one(
      'control_read_only',
      'Whether the control store is not what is in force, so that nothing can be changed.',
      readOnly ? 1 : 0,
    ),
    one(
      'snapshots_damaged',
      "Whether the data plane's copy of the configuration was found damaged at the start.",
      copyDamage === undefined ? 0 : 1,
    ),
  ]);
}
