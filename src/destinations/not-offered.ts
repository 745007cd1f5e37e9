/** What Logpush names and Waybill does not do: refused with what to do instead. */
import { problem } from './conf.ts';
import type { ConfProblem } from './destination.ts';

const INSTEAD: Readonly<Record<string, string>> = {
  bq: 'BigQuery is not offered: deliver to gs:// and load from there (LOAD DATA or a scheduled transfer), which also costs less than streaming',
  bigquery:
    'BigQuery is not offered: deliver to gs:// and load from there (LOAD DATA or a scheduled transfer)',
  pipelines: 'Cloudflare Pipelines is not offered: deliver to its HTTP endpoint with https://',
};

/** @returns undefined for a scheme that nobody expects */
export function notOffered(scheme: string): ConfProblem | undefined {
  const words = Object.hasOwn(INSTEAD, scheme) ? INSTEAD[scheme] : undefined;
  return words === undefined ? undefined : problem('destination_conf', words);
}
