/** What the proofs from outside share: a receiver, scopes and jobs on a real server, and one way to post lines. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';

import { TRIES } from '../support/customer.ts';
import type { Server } from '../support/server.ts';

/** A receiver on this machine that takes every batch but those of closed paths. */
export interface Receiver {
  readonly port: number;
  readonly url: string;
  /** Lines by the path that they were posted to, repeats of a batch left out. */
  readonly lines: ReadonlyMap<string, readonly string[]>;
  /** Paths that are answered 503. */
  readonly closed: Set<string>;
  /** Forgets what it has got. */
  clear(): void;
  close(): void;
}

export async function startReceiver(): Promise<Receiver> {
  const seen = new Set<string>();
  const lines = new Map<string, string[]>();
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const path = request.url ?? '';
      if (receiver.closed.has(path)) return void response.writeHead(503).end();
      const id = String(request.headers['waybill-batch-id']);
      if (!seen.has(id)) {
        seen.add(id);
        const held = lines.get(path) ?? [];
        lines.set(path, held);
        const text = gunzipSync(Buffer.concat(pieces)).toString('utf8');
        for (const line of text.split('\n')) if (line !== '') held.push(line);
      }
      response.end();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  // A test that fails before it closes it must end all the same.
  server.unref();
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    port,
    url: `http://127.0.0.1:${port}`,
    lines,
    closed: new Set(),
    clear() {
      lines.clear();
      seen.clear();
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return receiver;
}

export interface Zone {
  readonly account: string;
  readonly zone: string;
  /** Where its one job delivers to; none: no job. */
  readonly destination?: string;
}

/** Makes accounts, zones and a job each; returns a token that may send to all of the zones. */
export async function makeZones(server: Server, zones: readonly Zone[]): Promise<string> {
  for (const account of new Set(zones.map((each) => each.account)))
    await server.call('PUT', `/v1/accounts/${account}`, { name: account });
  for (const { account, zone, destination } of zones) {
    await server.call('PUT', `/v1/zones/${zone}`, { account, name: `${zone}.example` });
    if (destination !== undefined)
      await server.call('POST', `/client/v4/zones/${zone}/logpush/jobs`, {
        dataset: 'http_requests',
        enabled: true,
        destination_conf: destination,
      });
  }
  const made = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    name: 'proof',
    scopes: zones.map(({ zone }) => ({ kind: 'zone', id: zone })),
  });
  return made.token;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Posts lines to a zone's stream; again when they are refused for the moment, as a producer should. */
export async function postLines(
  server: Pick<Server, 'ingestUrl'>,
  token: string,
  zone: string,
  lines: readonly string[],
  key?: string,
): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await postOnce(server, token, zone, lines, key);
    if (answer.status !== 429 || tries === TRIES) return answer;
    await sleep(1_000);
  }
}

async function postOnce(
  server: Pick<Server, 'ingestUrl'>,
  token: string,
  zone: string,
  lines: readonly string[],
  key?: string,
): Promise<Answer> {
  const answer = await fetch(`${server.ingestUrl}/v1/ingest/zones/${zone}/http_requests`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: lines.map((line) => `${line}\n`).join(''),
  });
  return { status: answer.status, text: await answer.text() };
}

/** Asks again and again until it is so; fails with `what` when it is not within `mostMs`. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  mostMs = 60_000,
): Promise<void> {
  for (const end = Date.now() + mostMs; Date.now() < end;) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${mostMs} ms: ${what}`);
}

export const portOf = (url: string): number => Number(new URL(url).port);
