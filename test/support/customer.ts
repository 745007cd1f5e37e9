import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from './server.ts';

/** How often lines are sent again that are refused for the moment, about a second between. */
export const TRIES = 30;

export interface Sent {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: {
    readonly durability?: string;
    readonly accepted?: number;
    readonly unwanted?: number;
    readonly quarantined?: number;
    readonly streams?: readonly {
      readonly stream: string;
      readonly accepted?: number;
      readonly epoch?: string;
      readonly offsets?: { readonly from: number; readonly to: number };
      readonly repeat?: boolean;
      readonly refused?: { readonly code: string };
    }[];
    readonly error?: { readonly code: string; readonly message: string; readonly line?: number };
  };
}

/** Makes an account with one zone and an ingest token for it. */
export async function makeCustomer(server: Server, account: string, zone: string): Promise<string> {
  await server.call('PUT', `/v1/accounts/${account}`, { name: account });
  await server.call('PUT', `/v1/zones/${zone}`, { account, name: `${zone}.example` });
  const { token } = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    name: zone,
    scopes: [{ kind: 'zone', id: zone }],
  });
  return token;
}

/** Makes a job for a zone's `http_requests`; more of Logpush's fields may be given. Answers its id. */
export async function makeJob(
  server: Server,
  zone: string,
  destination: string,
  more: object = {},
): Promise<number> {
  const { result } = await server.call<{ result: { id: number } }>(
    'POST',
    `/client/v4/zones/${zone}/logpush/jobs`,
    {
      dataset: 'http_requests',
      enabled: true,
      destination_conf: destination,
      ...more,
    },
  );
  return result.id;
}

export async function sendOnce(
  server: Pick<Server, 'ingestUrl'>,
  token: string,
  path: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Sent> {
  const answer = await fetch(`${server.ingestUrl}/v1/ingest/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  return {
    status: answer.status,
    retryAfter: answer.headers.get('retry-after'),
    body: (await answer.json()) as Sent['body'],
  };
}

/** Sends as a producer should: what is refused because the machine is busy for the moment is sent again. */
export async function sendTo(...args: Parameters<typeof sendOnce>): Promise<Sent> {
  for (let tries = 1; ; tries += 1) {
    const sent = await sendOnce(...args);
    if (sent.body.error?.code !== 'over_fair_share' || tries === TRIES) return sent;
    await sleep(Number(sent.retryAfter ?? 1) * 1_000);
  }
}

export interface Ledger {
  readonly total: {
    readonly accepted: number;
    readonly delivered: number;
    readonly waiting: number;
    readonly excluded: Readonly<Record<string, number>>;
    readonly dropped: Readonly<Record<string, number>>;
    readonly notTaken: Readonly<Record<string, number>>;
    readonly balanced: boolean;
  };
  readonly hours: readonly { readonly balanced: boolean }[];
}

export const ledgerOf = (server: Server, job: number) =>
  server.call<Ledger>('GET', `/v1/jobs/${job}/ledger`);
