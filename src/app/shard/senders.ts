import { hash } from 'node:crypto';
import {
  describeDestinations,
  destinationScheme,
  hasProblems,
  openDestination,
  parseDestination,
} from '../../destinations/index.ts';
import type { Sender } from '../../destinations/index.ts';
import type { ReceiverDescription } from '../../deliver/index.ts';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { parseOpenedRange } from '../../lib/net/addresses.ts';
import type { OpenedRange } from '../../lib/net/addresses.ts';
import type { GuardedDialler } from '../../lib/net/dialler.ts';
import { createGuardedDialler } from '../../lib/net/guarded-dialler.ts';
import { cAresResolver } from '../../lib/net/resolver.ts';
import { PassedThrough } from '../../lib/via.ts';
import type { Config } from '../../model/settings.ts';
import { limits } from '../../model/limits.ts';
import type { JobConfig } from '../../model/snapshot.ts';

export interface SendersOptions {
  readonly config: Config;
  /** Name of this run of the server: said in each request, so that one that comes back is known. */
  readonly instance: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Whether the operator lets the account use the machine's own cloud credentials. */
  readonly ambientCredentials: (account: string) => boolean;
}

export interface Senders {
  /** Which servers the lines of each stream have come through; to be told by ingest. */
  readonly passedThrough: PassedThrough;
  readonly openSender: (job: Pick<JobConfig, 'account' | 'destinationConf'>) => Promise<Sender>;
  readonly describe: (job: JobConfig) => ReceiverDescription;
}

/** The one way out of a thread, within what the operator allows. */
export function guardedDialler({
  config,
  clock,
  diagnostics,
}: Pick<SendersOptions, 'config' | 'clock' | 'diagnostics'>): GuardedDialler {
  const { allowPorts, nameServers } = config.destinations;
  return createGuardedDialler({
    resolver: cAresResolver({
      timeoutMs: limits.deliver.dnsMs,
      tries: limits.deliver.dnsTries,
      ...(nameServers.length > 0 ? { servers: nameServers } : {}),
    }),
    allow: config.destinations.allowAddresses.map(openedRange),
    deny: config.destinations.denyAddresses.map(openedRange),
    ...(allowPorts.length > 0 ? { allowPorts: allowPorts.map(Number) } : {}),
    ownPorts: [config.ingest.port, config.control.port],
    clock,
    diagnostics,
    connectMs: limits.deliver.connectMs,
    idleMs: limits.deliver.idleMs,
    idleSockets: limits.deliver.idleSockets,
    socketsPerHost: limits.deliver.attempts,
  });
}

/** Makes senders for jobs, all of them behind the one guarded dialler. */
export function senders(options: SendersOptions): Senders {
  const { config, files, clock, instance } = options;
  const passedThrough = new PassedThrough(clock, limits.via);
  const { awsAccessKeyId, awsSecretAccessKey } = config.destinations;
  const roleKeys =
    awsAccessKeyId === '' || awsSecretAccessKey === ''
      ? {}
      : { roleKeys: { accessKeyId: awsAccessKeyId, secretAccessKey: awsSecretAccessKey } };
  const dialler = guardedDialler(options);
  const policy = {
    allowHttp: config.destinations.allowHttp,
    fileRoots: config.destinations.fileRoots,
  };
  const kinds = describeDestinations();
  return {
    passedThrough,
    openSender: (job) =>
      openDestination(job.destinationConf, {
        dialler,
        files,
        clock,
        policy,
        ambientCredentials: options.ambientCredentials(job.account),
        attemptMs: limits.deliver.attemptMs,
        stallMs: limits.deliver.stallMs,
        responseBytes: limits.deliver.responseBytes,
        via: (batch) => [instance, ...passedThrough.names(batch.stream, batch)],
        // The account's own, which it does not choose; see docs/destinations/s3.md.
        externalId: `waybill-${job.account}`,
        ...roleKeys,
      }),
    describe(job) {
      const scheme = destinationScheme(job.destinationConf);
      const { batchBytes, batchLines, inOrder } =
        kinds.find(({ schemes }) => schemes.includes(scheme)) ?? {};
      const parsed = parseDestination(job.destinationConf, policy);
      return {
        fingerprint: hasProblems(parsed) ? scheme : parsed.fingerprint,
        // Receivers of forwarders answer for each stream by itself and have a breaker of their own.
        ...(scheme === 'waybill' ? {} : { place: placeOf(job) }),
        ...(hasProblems(parsed) || !parsed.framing ? {} : { framing: parsed.framing }),
        ...(hasProblems(parsed) || !parsed.encoding ? {} : { encoding: parsed.encoding }),
        ...(batchBytes === undefined ? {} : { batchBytes }),
        ...(batchLines === undefined ? {} : { batchLines }),
        ...(inOrder ? { inOrder } : {}),
      };
    },
  };
}

/** Names a job's place with its credentials; a hash, so that no copy of a secret is kept for it. */
function placeOf({ account, destinationConf }: JobConfig): string {
  return hash('sha256', `${account}\n${destinationConf}`, 'base64');
}

/** `serve` has refused every entry that is no range. */
function openedRange(text: string): OpenedRange {
  const range = parseOpenedRange(text);
  assert(range, 'the opened ranges were checked at the start');
  return range;
}
