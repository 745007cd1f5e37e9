/** All destinations by the scheme of their `destination_conf`. A new one is a folder and a line in `KINDS`. */
import { limits } from '../model/limits.ts';
import { problem, REDACTED } from './conf.ts';
import type {
  ConfProblem,
  DestinationDescription,
  DestinationKind,
  DestinationPolicy,
  DestinationTools,
  ParsedDestination,
  Sender,
} from './destination.ts';
import { clickhouseDestination } from './clickhouse/index.ts';
import { elasticsearchDestination } from './elasticsearch/index.ts';
import { azureDestination } from './azure/index.ts';
import { gcsDestination } from './gcs/index.ts';
import { kinesisDestination } from './kinesis/index.ts';
import { notOffered } from './not-offered.ts';
import { fileDestination } from './file/index.ts';
import { httpDestination, httpProfiles } from './http/index.ts';
import { kafkaDestination } from './kafka/index.ts';
import { lokiDestination } from './loki/index.ts';
import { otlpDestination } from './otlp/index.ts';
import { s3Destination } from './s3/index.ts';
import { syslogDestination } from './syslog/index.ts';
import { waybillDestination } from './waybill/index.ts';

const KINDS: readonly DestinationKind[] = [
  s3Destination,
  gcsDestination,
  azureDestination,
  kinesisDestination,
  kafkaDestination,
  httpDestination,
  ...httpProfiles,
  elasticsearchDestination,
  lokiDestination,
  otlpDestination,
  clickhouseDestination,
  syslogDestination,
  waybillDestination,
  fileDestination,
];

const BY_SCHEME = new Map(
  KINDS.flatMap((kind) => kind.describe.schemes.map((scheme) => [scheme, kind])),
);

/** What API, command line and console tell people about every destination. */
export function describeDestinations(): readonly DestinationDescription[] {
  return KINDS.map((kind) => kind.describe);
}

/** The scheme of a conf in lower case; empty when it has none. */
export function destinationScheme(conf: string): string {
  return (/^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(conf)?.[1] ?? '').toLowerCase();
}

/** Checks a conf without touching the network. Problems name the setting and what would be right, never a secret. */
export function parseDestination(
  conf: string,
  policy: DestinationPolicy,
): ParsedDestination | readonly ConfProblem[] {
  const { destinationConfBytes } = limits.control;
  if (Buffer.byteLength(conf) > destinationConfBytes) {
    return [problem('destination_conf', `may have at most ${destinationConfBytes} bytes`)];
  }
  const kind = BY_SCHEME.get(destinationScheme(conf));
  if (!kind) {
    const instead = notOffered(destinationScheme(conf));
    if (instead) return [instead];
    const known = [...BY_SCHEME.keys()].map((scheme) => `${scheme}://`).join(', ');
    return [
      problem('destination_conf', `must begin with the scheme of a known destination: ${known}`),
    ];
  }
  return kind.parse(conf, policy);
}

/** Whether `parseDestination` found problems. */
export function hasProblems(
  parsed: ParsedDestination | readonly ConfProblem[],
): parsed is readonly ConfProblem[] {
  return Array.isArray(parsed);
}

/** The conf with its secrets replaced by `***`, for showing; also of one that the operator does not allow any more. */
export function redactDestination(conf: string): string {
  const parsed = parseDestination(conf, {
    allowHttp: true,
    fileRoots: ['/'],
    ambientCredentials: true,
  });
  return hasProblems(parsed) ? `${destinationScheme(conf)}://${REDACTED}` : parsed.redacted;
}

/**
 * Makes the sender of a job.
 *
 * What the operator allows may have changed since the job was made: a conf that does not pass any more gives a sender that
 * says so at each attempt. Nothing is lost meanwhile: the lines wait.
 */
export async function openDestination(conf: string, tools: DestinationTools): Promise<Sender> {
  const policy = { ...tools.policy, ambientCredentials: tools.ambientCredentials };
  const parsed = parseDestination(conf, policy);
  if (hasProblems(parsed)) {
    const problems = parsed.map(({ setting, message }) => `${setting} ${message}`).join('; ');
    return {
      send: () =>
        Promise.resolve({ kind: 'retry', reason: `the destination cannot be used: ${problems}` }),
      close: () => Promise.resolve(),
    };
  }
  const kind = BY_SCHEME.get(parsed.scheme);
  if (!kind) throw new TypeError(`no destination for ${parsed.scheme}`);
  return kind.open(conf, tools);
}
