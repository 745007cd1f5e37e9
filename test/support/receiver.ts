import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A receiver on loopback that keeps what it is sent. */
export interface Receiver {
  readonly url: string;
  /** Delivered lines, in the order of arrival. */
  lines(): string[];
  /** The same, each batch once: a server that was killed after a batch was taken sends it again under its id (I7). */
  linesOnce(): string[];
  readonly headers: readonly (readonly [name: string, value: string])[][];
  /** Answers with this status from now on. */
  answer(status: number): void;
  /** Leaves requests unanswered from now on, until `answer`. */
  hang(): void;
  readonly requests: number;
  close(): void;
}

export async function startReceiver(): Promise<Receiver> {
  const bodies: Buffer[] = [];
  const headers: [string, string][][] = [];
  let status = 204;
  let hanging = false;
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    const pieces: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      if (hanging) return;
      if (status < 300) {
        bodies.push(Buffer.concat(pieces));
        headers.push(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      }
      response.writeHead(status).end();
    });
  });
  // A test that fails before it closes its receiver must not keep the file from ending.
  server.unref();
  server.on('connection', (socket) => socket.unref());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const linesOf = (body: Buffer): string[] =>
    gunzipSync(body).toString('utf8').split('\n').slice(0, -1);
  const idOf = (at: number): string | undefined =>
    headers[at]?.find(([name]) => name === 'waybill-batch-id')?.[1];
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`,
    lines: () => bodies.flatMap(linesOf),
    linesOnce() {
      const seen = new Map<string | undefined, readonly string[]>();
      for (const [at, body] of bodies.entries()) {
        const lines = linesOf(body);
        const first = seen.get(idOf(at));
        if (first) assert.deepEqual(lines, first, 'a repeat has the same lines');
        else seen.set(idOf(at), lines);
      }
      return [...seen.values()].flat();
    },
    headers,
    answer(next) {
      status = next;
      hanging = false;
    },
    hang() {
      hanging = true;
    },
    get requests() {
      return requests;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Asks again and again until `holds`, for at most half a minute; fails with `what` otherwise. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until;) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`in vain: ${what}`);
}
