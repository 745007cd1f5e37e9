/** What tests of several shards share: how they are started, and an account with a few zones. */
import { LOCAL_DESTINATIONS } from './server.ts';
import type { Server } from './server.ts';
import { makeCustomer, makeJob } from './customer.ts';
import type { Receiver } from './receiver.ts';

export const ZONES = ['a', 'b', 'c', 'd'];
/** A connection for each request, so that both listeners get some. */
export const ALONE = { connection: 'close' };

export interface ShardsStatus {
  readonly shards: readonly { shard: number; state: string; streams: number }[];
}

export const shardFlags = (shards: number): string[] => [
  ...LOCAL_DESTINATIONS,
  '--deliver-interval-ms',
  '200',
  '--process-shards',
  String(shards),
  '--buffer-low-watermark',
  '0.97',
  '--buffer-high-watermark',
  '0.98',
];

/** Zones of one account, each with a job; a token for all of them. */
export async function makeZones(server: Server, receiver: Receiver) {
  for (const zone of ZONES) await makeCustomer(server, 'acc', zone);
  const jobs = [];
  for (const zone of ZONES) jobs.push(await makeJob(server, zone, receiver.url));
  const { token } = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    name: 'all',
    scopes: 'all',
  });
  return { jobs, token };
}
