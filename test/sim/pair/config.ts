import { createHash } from 'node:crypto';

import type { Snapshot } from '../../../src/model/snapshot.ts';
import { ZONES } from './actions.ts';
import { DATASET, streamOf } from './clients.ts';

/** All zones; the first so many have a job. */
export function snapshotOf(version: number, wanted: number): Snapshot {
  const zones = Array.from({ length: ZONES }, (_, zone) => ({
    id: `z${zone}`,
    account: `a${zone % 2}`,
    name: `z${zone}.example`,
  }));
  return {
    version,
    accounts: ['a0', 'a1'].map((id) => ({ id, name: id, ambientCredentials: false })),
    zones,
    datasets: [{ id: DATASET, scope: 'zone', fields: [], strict: true }],
    jobs: zones.slice(0, wanted).map(({ account, id }, zone) => ({
      id: zone + 1,
      name: '',
      account,
      scope: { kind: 'zone', id },
      dataset: DATASET,
      stream: streamOf(zone),
      enabled: true,
      destinationConf: `sim://${id}`,
      filter: '',
      outputOptions: null,
      maxUploadBytes: 0,
      maxUploadRecords: 0,
      maxUploadIntervalMs: 0,
      contentVersion: 1,
      version: 1,
    })),
    tokens: [
      { id: 'central', hash: createHash('sha256').update('secret').digest('hex'), scopes: 'all' },
    ],
  };
}
