/** Sets everything up: the server, the places that lines go to, the customers with their zones, tokens and jobs. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { startS3 } from '../test/servers/s3.ts';
import type { RunningS3 } from '../test/servers/s3.ts';
import { DATASET, JOBS, ZONES } from './cast.ts';
import type { JobPlan } from './cast.ts';
import { Control } from './control.ts';
import { Receiver } from './receiver.ts';
import { Server } from './server.ts';
import type { Folders } from './server.ts';

/** A job as it was set up. */
export interface Job extends JobPlan {
  readonly id: number;
  /** How its destination is called in the table. */
  readonly place: string;
  /** Where its batches end up as files, whatever the destination. */
  readonly folder: string;
  /** HTTP receivers may get a batch again; object stores end with each line once. */
  readonly objectStore: boolean;
}

export interface Stage {
  readonly folders: Folders;
  readonly server: Server;
  readonly control: Control;
  readonly receiver: Receiver;
  /** Undefined where no S3 server can be had: a second folder stands in. */
  readonly s3: RunningS3 | undefined;
  readonly jobs: readonly Job[];
  /** An ingest token by zone. */
  readonly tokens: ReadonlyMap<string, string>;
}

/** Things to end, whatever happens, last one first. */
export type Cleanups = (() => Promise<unknown>)[];

/** @param cleanups gets what must be ended again, as soon as it has been started */
export async function setUp(root: string, cleanups: Cleanups): Promise<Stage> {
  const folders = { root, data: join(root, 'waybill-data'), delivered: join(root, 'delivered') };
  await mkdir(folders.delivered, { recursive: true });
  const receiver = await Receiver.start(join(root, 'received'));
  cleanups.push(() => receiver.stop());
  const server = new Server(folders);
  cleanups.push(() => server.kill());
  const [s3] = await Promise.all([startS3({ folder: join(root, 's3') }), server.start()]);
  const running = 'skipped' in s3 ? undefined : s3;
  if (running) cleanups.push(() => running.stop());

  const control = new Control(server);
  const tokens = new Map<string, string>();
  for (const { id, account, customer, host } of ZONES) {
    await control.put(`/v1/accounts/${account}`, { name: customer });
    await control.put(`/v1/zones/${id}`, { account, name: host });
    const scopes = [{ kind: 'zone', id }];
    const made = await control.post('/v1/tokens', {
      kind: 'ingest',
      name: `edge of ${id}`,
      scopes,
    });
    tokens.set(id, (made as { readonly token: string }).token);
  }
  const jobs: Job[] = [];
  for (const plan of JOBS)
    jobs.push(await makeJob(control, plan, { folders, receiver, s3: running }));
  return { folders, server, control, receiver, s3: running, jobs, tokens };
}

type Places = Pick<Stage, 'folders' | 'receiver' | 's3'>;

async function makeJob(control: Control, plan: JobPlan, places: Places): Promise<Job> {
  const where = placeOf(plan, places);
  const answer = await control.post(`/client/v4/zones/${plan.zone.id}/logpush/jobs`, {
    name: plan.name,
    dataset: DATASET,
    enabled: true,
    destination_conf: where.conf,
    ...(plan.filter ? { filter: plan.filter.text } : {}),
  });
  const { id } = (answer as { readonly result: { readonly id: number } }).result;
  return { ...plan, ...where, id };
}

function placeOf({ name, to }: JobPlan, { folders, receiver, s3 }: Places) {
  const folder = join(folders.delivered, name);
  const ownFolder = { conf: `file://${folder}`, folder, place: 'folder', objectStore: true };
  switch (to) {
    case 'folder':
      return ownFolder;
    case 'http':
      return { conf: receiver.url, folder: receiver.folder, place: 'HTTP', objectStore: false };
    case 's3': {
      if (!s3) return ownFolder;
      const settings = new URLSearchParams({
        region: s3.region,
        endpoint: s3.endpoint,
        'access-key-id': s3.accessKey,
        'secret-access-key': s3.secretKey,
      });
      return {
        conf: `s3://${s3.bucket}/${name}?${settings.toString()}`,
        folder: join(s3.folder, s3.bucket, name),
        place: 'S3',
        objectStore: true,
      };
    }
  }
}
