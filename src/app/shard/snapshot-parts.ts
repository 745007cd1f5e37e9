/** What a shard reads out of the snapshot in force. */
import type { JobConfig, Snapshot } from '../../model/snapshot.ts';

/** Accounts whose weight in the fair share of a full disk is not 1. */
export function weightsOf({ accounts }: Snapshot): ReadonlyMap<string, number> {
  return new Map(
    accounts.flatMap(({ id, weight }) => (weight === undefined ? [] : [[id, weight] as const])),
  );
}

/** Accounts whose backlog an operator bounded to a share of the disk. */
export function diskSharesOf({ accounts }: Snapshot): ReadonlyMap<string, number> {
  return new Map(
    accounts.flatMap(({ id, diskShare }) =>
      diskShare === undefined ? [] : [[id, diskShare] as const],
    ),
  );
}

/** The job as it was when a plan was made; undefined when that is not known any more. */
export function contentOf(
  { jobs }: Snapshot,
  id: number,
  contentVersion: number,
): JobConfig | undefined {
  const job = jobs.find((each) => each.id === id);
  if (!job || job.contentVersion === contentVersion) return job;
  const older = job.olderContents?.find((content) => content.contentVersion === contentVersion);
  return older && { ...job, ...older };
}

/** Accounts that may use the server's own credentials. Asked whenever a sender is opened, which is once a batch with many jobs. */
export function ambientOf({ accounts }: Snapshot): ReadonlySet<string> {
  return new Set(accounts.filter((each) => each.ambientCredentials).map(({ id }) => id));
}
