/** A customer: an account and a zone of the same name, a token to send with, a job, and a destination of its own. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type { Control } from './control.ts';
import { FolderDestination } from './folder-destination.ts';
import { Receiver } from './receiver.ts';
import type { Certificate } from './receiver.ts';
import type { Stage } from './stage.ts';

export const CUSTOMER_DATASET = 'http_requests';

export interface CustomerPlan {
  readonly zone: string;
  /** `folder` ends with each line once, as object stores do. */
  readonly kind: 'http' | 'folder';
  /** An HTTP destination speaks TLS with it. */
  readonly certificate?: Certificate;
}

export interface Customer {
  readonly zone: string;
  readonly kind: CustomerPlan['kind'];
  readonly job: number;
  /** An ingest token. */
  readonly token: string;
  readonly destination: Receiver | FolderDestination;
}

export async function makeCustomer(
  stage: Stage,
  control: Control,
  { zone, kind, certificate }: CustomerPlan,
  intervalMs: number,
): Promise<Customer> {
  const destination = await openDestination();
  await control.must('PUT', `/v1/accounts/${zone}`, { name: `Customer ${zone}` });
  await control.must('PUT', `/v1/zones/${zone}`, { account: zone, name: `${zone}.example` });
  const { token } = await control.must<{ readonly token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    name: `edge of ${zone}`,
    scopes: [{ kind: 'zone', id: zone }],
  });
  const made = await control.must<{ readonly result: { readonly id: number } }>(
    'POST',
    `/client/v4/zones/${zone}/logpush/jobs`,
    {
      name: zone,
      dataset: CUSTOMER_DATASET,
      enabled: true,
      destination_conf: destination.url,
    },
  );
  return { zone, kind, job: made.result.id, token, destination };

  async function openDestination(): Promise<Receiver | FolderDestination> {
    const tools = { counter: stage.counter, phases: stage.phases, intervalMs };
    if (kind === 'folder') {
      const folder = join(stage.folder, 'delivered', zone);
      mkdirSync(folder, { recursive: true });
      return new FolderDestination(zone, folder, tools);
    }
    const receiver = new Receiver({ zone, ...tools, ...(certificate ? { certificate } : {}) });
    await receiver.open();
    stage.onEnd(() => receiver.close());
    return receiver;
  }
}
