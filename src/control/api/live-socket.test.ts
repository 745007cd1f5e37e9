/** The WebSocket of Instant Logs, over real sockets, with both sides of the live tail and a clock that is moved by hand. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { idleDataPlane, startControl, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';
import { listenTo, until } from '../../../test/support/live.ts';
import { compileContent } from '../../deliver/index.ts';
import { assert as insist } from '../../lib/assert.ts';
import { manualClock } from '../../lib/clock-manual.ts';
import type { ManualClock } from '../../lib/clock-manual.ts';
import { silent } from '../../lib/diagnostics.ts';
import { seededRandom } from '../../lib/random.ts';
import { LiveSessions, Tap } from '../../live/index.ts';
import type { LiveDesk } from '../../live/index.ts';
import { limits } from '../../model/limits.ts';

const STREAM = 'zones/z1/http_requests';

interface Stage extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly server: TestControl;
  readonly tap: Tap;
  /** Characters handed to sockets that are not out yet, now and at most, and in all. */
  readonly pending: { now: number; most: number; total: number };
  /** How many signs of life came. */
  signsOfLife(): number;
  begin(): Promise<URL>;
}

/** A control API whose live sessions are fed by a tap in the same thread. */
async function stage(): Promise<Stage> {
  const clock = manualClock();
  const random = seededRandom(1);
  const pending = { now: 0, most: 0, total: 0 };
  let signs = 0;
  const tap: Tap = new Tap({
    clock,
    random,
    limits: limits.live,
    hand: (lines) => live.tapped(lines),
  });
  const live = new LiveSessions({
    clock,
    random,
    diagnostics: silent,
    limits: limits.live,
    encoderOf({ filter, fieldNames }) {
      const outputOptions = { field_names: fieldNames ?? [], timestamp_format: 'rfc3339' } as const;
      const encoder = compileContent({ filter, outputOptions }, undefined, '0'.repeat(16));
      insist(encoder !== 'whole', 'fields are asked for');
      return encoder;
    },
    watch: (watches) => tap.watch(watches),
    taken: (session) => tap.taken(session),
  });
  const counted: LiveDesk = {
    create: (wish) => live.create(wish),
    ofZone: (zone) => live.ofZone(zone),
    admit: (session) => live.admit(session),
    attach(session, listener) {
      const attachment = live.attach(session, {
        send(text, sent) {
          pending.now += text.length;
          pending.total += text.length;
          pending.most = Math.max(pending.most, pending.now);
          listener.send(text, () => {
            pending.now -= text.length;
            sent();
          });
        },
        ping: () => listener.ping(),
        close: (code, reason) => listener.close(code, reason),
        drop: () => listener.drop(),
      });
      return (
        attachment && {
          alive() {
            signs++;
            attachment.alive();
          },
          detach: () => attachment.detach(),
        }
      );
    },
  };
  const server = await startControl({ dataPlane: { ...idleDataPlane(), live: counted } });
  await withScopes(server);
  return {
    clock,
    server,
    tap,
    pending,
    signsOfLife: () => signs,
    async begin() {
      const body = { fields: 'RayID,ClientRequestURI' };
      const made = await server.call('POST', '/client/v4/zones/z1/logpush/edge/jobs', { body });
      assert.equal(made.status, 200, made.text);
      return new URL(String(made.body.result.destination_conf));
    },
    async [Symbol.asyncDispose]() {
      live.close();
      await server.close();
    },
  };
}

/** Joins a session by hand, so that reading can be left off. */
async function join(url: URL): Promise<Socket> {
  const socket = connect(Number(url.port), url.hostname);
  socket.on('error', () => {});
  const answer = new Promise<Buffer>((resolve) => socket.once('data', resolve));
  socket.write(
    `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  assert.match((await answer).toString(), /^HTTP\/1\.1 101 /);
  return socket;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

const uri = 'x'.repeat(1_000);
const text = Array.from(
  { length: 200 },
  (_, n) => `{"RayID":"r${n}","ClientRequestURI":"${uri}"}\n`,
);
let end = 0;
const body = {
  bytes: Buffer.from(text.join('')),
  ends: Uint32Array.from(text, (line) => (end += line.length)),
};

test('I5: a listener that reads nothing costs one message beyond what the system buffers, and is dropped in the end', async () => {
  await using test = await stage();
  const { clock, pending, tap } = test;
  const socket = await join(await test.begin());
  socket.pause();
  await until(() => tap.watching);
  for (let round = 0; round < 1_000; round++) {
    tap.onlooker(STREAM)?.seeAll(body);
    clock.advance(limits.live.tickMs / 10);
    await turn();
  }
  // Its socket is full: 200 MB were offered, and what the system would not take is one message.
  assert.ok(pending.now > 0 && pending.most < 2 * limits.live.tapBytes, JSON.stringify(pending));
  assert.ok(pending.total < 50_000_000, JSON.stringify(pending));
  clock.advance(2 * limits.live.pingMs + 2_000);
  assert.equal(tap.watching, false, 'the listener is dropped, and nothing is looked at');
  socket.destroy();
});

test('a session ends after an hour, whoever listens; it cannot be joined again, and the next one begins', async () => {
  await using test = await stage();
  const url = await test.begin();
  const { closed } = await listenTo(url.href);
  await until(() => test.tap.watching);
  // Signs of life come over the real socket, so time passes in steps.
  const pings = limits.live.sessionMs / limits.live.pingMs - 1;
  for (let ping = 1; ping <= pings; ping++) {
    test.clock.advance(limits.live.pingMs);
    await until(() => test.signsOfLife() === ping);
  }
  test.clock.advance(limits.live.pingMs);
  assert.deepEqual(await closed, {
    code: 1000,
    reason: 'the session has lasted as long as it may',
  });
  await assert.rejects(listenTo(url.href));
  (await listenTo((await test.begin()).href)).socket.close();
});

test('a session that nobody listens to ends after five minutes', async () => {
  await using test = await stage();
  const url = await test.begin();
  test.clock.advance(limits.live.listenerMs + 1_000);
  await assert.rejects(listenTo(url.href));
  const listed = await test.server.call('GET', '/client/v4/zones/z1/logpush/edge/jobs');
  assert.deepEqual(listed.body.result, []);
});

test('too many tries to connect are answered 429, an unknown path is not upgraded, and other upgrades are ignored', async () => {
  await using test = await stage();
  const url = await test.begin();
  const statusOf = (path: string, upgrade: string) =>
    new Promise<{ status: number; retry: string | undefined }>((resolve, reject) => {
      const headers = {
        Connection: 'Upgrade',
        Upgrade: upgrade,
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      };
      const sending = request({ host: url.hostname, port: url.port, path, headers });
      sending.on('response', (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, retry: response.headers['retry-after'] });
      });
      sending.on('upgrade', (_response, socket) => {
        socket.destroy();
        resolve({ status: 101, retry: undefined });
      });
      sending.on('error', reject);
      sending.end();
    });
  const statuses: number[] = [];
  for (let count = 0; count <= limits.live.connectsPerMinute; count++)
    statuses.push((await statusOf(url.pathname, 'websocket')).status);
  assert.deepEqual(new Set(statuses.slice(0, -1)), new Set([101]));
  assert.equal(statuses.at(-1), 429);
  assert.deepEqual(await statusOf(url.pathname, 'websocket'), { status: 429, retry: '60' });
  const wrong = await statusOf('/instant-logs/ws/sessions/zzz', 'websocket');
  assert.equal(wrong.status, 404);
  assert.equal((await statusOf('/healthz', 'h2c')).status, 200);
  assert.equal((await statusOf('/healthz', 'websocket')).status, 200);
});

test('what a listener says is not looked at, and too much of it ends the connection', async () => {
  await using test = await stage();
  const listener = await listenTo((await test.begin()).href);
  await until(() => test.tap.watching);
  listener.socket.send('hello');
  listener.socket.send('x'.repeat(limits.live.incomingBytes + 1));
  assert.equal((await listener.closed).code, 1009);
  await until(() => !test.tap.watching);
});

test('the URL of a session is the one that the caller has used, with HTTPS spoken by a proxy', async () => {
  await using test = await stage();
  const made = await test.server.call('POST', '/client/v4/zones/z2/logpush/edge/jobs', {
    body: {},
    headers: { 'x-forwarded-proto': 'https' },
  });
  assert.match(made.body.result.destination_conf, /^wss:\/\/127\.0\.0\.1:\d+\/instant-logs\/ws\//);
});
