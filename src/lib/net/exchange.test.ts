/** When a body's memory may be used again: not before the system has all of it, and only where nothing will be repeated. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { testDialler } from '../../../test/servers/dialler.ts';
import { systemClock as clock } from '../clock.ts';
import { exchange } from './exchange.ts';

const dialler = testDialler();
after(() => dialler.close());
const tools = { dialler, clock, attemptMs: 10_000, stallMs: 5_000, responseBytes: 1_000 };

/** Posts a body in pieces of their own; their memory is given back when they are sent. */
async function post(port: number, bytes: number) {
  const body = Array.from({ length: 8 }, (_, n) => Buffer.alloc(bytes / 8, `${n}`));
  const hash = createHash('sha256').update(Buffer.concat(body)).digest('hex');
  let sent = 0;
  const request = {
    secure: false,
    hostname: '127.0.0.1',
    port,
    path: '/',
    method: 'POST',
    headers: {},
    body,
    sent: () => {
      sent += 1;
      for (const { buffer } of body) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    },
  };
  const result = await exchange(request, tools, new AbortController().signal);
  return { hash, result, sent };
}

async function serving(listener: RequestListener, work: (port: number) => Promise<void>) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await work((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('the body of an exchange', () => {
  test('has arrived whole wherever its memory is given back, also at a receiver that reads slowly', async () => {
    const got: string[] = [];
    let slow = false;
    await serving(
      (request, response) => {
        const hash = createHash('sha256');
        request.on('data', (piece: Buffer) => {
          hash.update(piece);
          if (!slow) return;
          request.pause();
          setTimeout(() => request.resume(), 1);
        });
        request.on('end', () => {
          got.push(hash.digest('hex'));
          response.end('ok');
        });
      },
      async (port) => {
        for (const bytes of [800, 80_000, 4_000_000]) {
          for (slow of [false, true]) {
            const { hash, result, sent } = await post(port, bytes);
            assert.deepEqual([result.kind, sent, got.pop()], ['answer', 1, hash]);
          }
        }
      },
    );
  });

  test('is kept where the receiver answers before it has all', async () => {
    await serving(
      (_request, response) => {
        response.statusCode = 403;
        response.end();
      },
      async (port) => {
        const { result, sent } = await post(port, 64_000_000);
        assert.ok(result.kind === 'failed' || result.status === 403);
        assert.equal(sent, 0);
      },
    );
  });

  test('is kept until its repeat on another connection has ended', async () => {
    const bodies: string[] = [];
    const used = new Set<Socket>();
    await serving(
      (request, response) => {
        // A connection that was kept dies with its second request.
        if (used.has(request.socket)) return void request.socket.destroy();
        used.add(request.socket);
        const hash = createHash('sha256');
        request.on('data', (piece: Buffer) => hash.update(piece));
        request.on('end', () => {
          bodies.push(hash.digest('hex'));
          response.end();
        });
      },
      async (port) => {
        for (let n = 0; n < 4; n += 1) {
          const { hash, result, sent } = await post(port, 8_000);
          assert.deepEqual([result.kind, sent, bodies.at(-1)], ['answer', 1, hash]);
        }
        assert.equal(used.size, 4);
      },
    );
  });
});
