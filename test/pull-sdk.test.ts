/** Logpull as the official `cloudflare` npm SDK calls it, over the real buffer with its time moved by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Cloudflare from 'cloudflare';
import { inflateBlock } from '../src/buffer/index.ts';
import type { ShardBuffer } from '../src/buffer/index.ts';
import { linesOf, TestShard } from '../src/buffer/testing.ts';
import { compileContent } from '../src/deliver/index.ts';
import { assert as insist } from '../src/lib/assert.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silent } from '../src/lib/diagnostics.ts';
import { limits } from '../src/model/limits.ts';
import { Puller, pullReader } from '../src/pull/index.ts';
import type { PullReader } from '../src/pull/index.ts';
import { idleDataPlane, startControl, tokenFor, withScopes } from './support/control.ts';
import type { TestControl } from './support/control.ts';

const STREAM = 'zones/z1/http_requests';
const MINUTE = 60_000;

interface Stage extends AsyncDisposable {
  readonly shard: TestShard;
  readonly buffer: ShardBuffer;
  readonly server: TestControl;
  readonly client: Cloudflare;
  /** When the first line came. */
  readonly begin: number;
  /** Appends lines, numbered on from the last ones, and lets a second pass. */
  fill(lines: number, stream?: string): Promise<void>;
  received(start: number, end: number, more?: object): Promise<string>;
}

/** @param change what of the shard's side is another one */
async function stage(
  change: (reader: PullReader) => Partial<PullReader> = () => ({}),
): Promise<Stage> {
  const shard = new TestShard();
  const buffer = await shard.open();
  const begin = shard.clock.wall;
  const reader = pullReader(buffer);
  const pull = new Puller({
    reader: { ...reader, ...change(reader) },
    inflateBlock,
    encoderOf({ filter, outputOptions, dataset }, epoch) {
      const encoder = compileContent({ filter, outputOptions }, dataset, epoch);
      insist(encoder !== 'whole', 'times are written in one form');
      return encoder;
    },
    clock: shard.clock,
    diagnostics: silent,
    limits: limits.pull,
  });
  const server = await startControl({
    dataPlane: { ...idleDataPlane(), pull },
    clock: { ...systemClock, wallMs: () => shard.clock.wall },
  });
  await withScopes(server);
  const apiToken = await tokenFor(server, {
    kind: 'account',
    permissions: ['logs_read'],
    scopes: [{ kind: 'account', id: 'a1' }],
  });
  const client = new Cloudflare({ apiToken, baseURL: `${server.url}/client/v4`, maxRetries: 0 });
  let next = 0;
  return {
    shard,
    buffer,
    server,
    client,
    begin,
    async fill(count, stream = STREAM) {
      const lines = Array.from({ length: count }, () => {
        const n = next++;
        return `{"RayID":"ray${n}","ClientIP":"192.0.2.${n % 250}","EdgeResponseStatus":200,"EdgeStartTimestamp":1732000000${String(n).padStart(9, '0')},"ClientRequestPath":"/\${jndi}","Secret":"never"}`;
      });
      await buffer.append({ stream, account: 'a1', lines: linesOf(lines) });
      shard.clock.pass(1_000);
    },
    async received(start, end, more = {}) {
      const answer = await client.logs.received.get({
        zone_id: 'z1',
        start: new Date(start).toISOString(),
        end: new Date(end).toISOString(),
        ...more,
      });
      assert.equal(typeof answer, 'string');
      return answer as string;
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await buffer.close();
    },
  };
}

const rays = (text: string) => [...text.matchAll(/"RayID":"ray(\d+)"/g)].map(([, n]) => Number(n));
const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, n) => from + n);

async function refusal(
  promise: Promise<unknown>,
): Promise<InstanceType<typeof Cloudflare.APIError>> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof Cloudflare.APIError, String(error));
    return error;
  }
  return assert.fail('it was not refused');
}

test('consecutive windows give each line exactly once, the same window the same lines, also after more came', async () => {
  await using on = await stage();
  for (let second = 0; second < 8; second++) await on.fill(50);
  on.shard.clock.pass(MINUTE);
  const windows = upTo(4).map((n) => [on.begin + n * 2_000, on.begin + (n + 1) * 2_000] as const);
  const texts = [];
  for (const [start, end] of windows) texts.push(await on.received(start, end));
  assert.deepEqual(rays(texts.join('')), upTo(400));
  assert.equal(rays(texts[1]!).length, 100);
  await on.fill(50);
  on.shard.clock.pass(MINUTE);
  for (const [index, [start, end]] of windows.entries())
    assert.equal(await on.received(start, end), texts[index]);
});

test('without fields the default ones come, in one form of time; with fields those, in the order asked for', async () => {
  await using on = await stage();
  await on.fill(1);
  on.shard.clock.pass(MINUTE);
  const end = on.begin + 1_000;
  assert.equal(
    await on.received(on.begin, end),
    '{"ClientIP":"192.0.2.0","ClientRequestHost":null,"ClientRequestMethod":null,"ClientRequestURI":null,"EdgeEndTimestamp":null,"EdgeResponseBytes":null,"EdgeResponseStatus":200,"EdgeStartTimestamp":1732000000000000000,"RayID":"ray0"}\n',
  );
  const fields = 'RayID,EdgeStartTimestamp,ClientRequestPath';
  assert.equal(
    await on.received(on.begin, end, { fields, timestamps: 'rfc3339' }),
    '{"RayID":"ray0","EdgeStartTimestamp":"2024-11-19T07:06:40Z","ClientRequestPath":"/${jndi}"}\n',
  );
  assert.equal(
    await on.received(on.begin, end, { fields, timestamps: 'unix', 'CVE-2021-44228': 'true' }),
    '{"RayID":"ray0","EdgeStartTimestamp":1732000000,"ClientRequestPath":"/x{jndi}"}\n',
  );
});

test('a window may be given in seconds, nanoseconds or RFC 3339, and is exact to the millisecond', async () => {
  await using on = await stage();
  await on.fill(3);
  await on.fill(3);
  on.shard.clock.pass(2 * MINUTE);
  const second = on.begin / 1_000;
  const forms = [
    [String(second), String(second + 1)],
    [`${second}000000000`, `${second + 1}000000000`],
    [new Date(on.begin).toISOString(), new Date(on.begin + 1_000).toISOString()],
  ];
  for (const [start, end] of forms) {
    const text = await on.client.logs.received.get({ zone_id: 'z1', start: start!, end: end! });
    assert.deepEqual(rays(String(text)), [0, 1, 2], start);
  }
  // One nanosecond past the second: its lines are in the one window and not in the next.
  const cut = `${second + 1}000000001`;
  const first = await on.client.logs.received.get({ zone_id: 'z1', start: `${second}`, end: cut });
  const next = await on.client.logs.received.get({
    zone_id: 'z1',
    start: cut,
    end: String(second + 3),
  });
  assert.deepEqual([rays(String(first)), rays(String(next))], [upTo(6), []]);
});

test('count bounds what is left of a sample, which is the same each time', async () => {
  await using on = await stage();
  for (let second = 0; second < 5; second++) await on.fill(100);
  on.shard.clock.pass(MINUTE);
  const end = on.begin + 5_000;
  const sampled = rays(await on.received(on.begin, end, { sample: 0.2 }));
  assert.ok(sampled.length > 60 && sampled.length < 140, `${sampled.length} of 500`);
  assert.deepEqual(
    rays(await on.received(on.begin, end, { sample: 0.2, count: 30 })),
    sampled.slice(0, 30),
  );
  assert.deepEqual(rays(await on.received(on.begin, end, { count: 7 })), upTo(7));
});

test('what is not allowed is refused with the field that is wrong', async () => {
  await using on = await stage();
  await on.fill(1);
  on.shard.clock.pass(2 * 3_600_000);
  const now = on.shard.clock.wall;
  const wrong: [start: number, end: number, more: object, message: RegExp][] = [
    [now - 3 * MINUTE, now - 3 * MINUTE, {}, /`end`: must lie behind/],
    [now - 3 * MINUTE, now - 4 * MINUTE, {}, /`end`: must lie behind/],
    [now - 70 * MINUTE, now - 5 * MINUTE, {}, /at most 1 hour/],
    [now - 5 * MINUTE, now - MINUTE + 1_000, {}, /at least 1 minute back/],
    [now - 8 * 86_400_000, now - 8 * 86_400_000 + MINUTE, {}, /at most 7 days back/],
    [
      now - 5 * MINUTE,
      now - 4 * MINUTE,
      { fields: 'RayID,Nothing' },
      /`fields`: .*no field "Nothing"/,
    ],
    [now - 5 * MINUTE, now - 4 * MINUTE, { fields: 'RayID,RayID' }, /`fields`: .*twice/],
    [now - 5 * MINUTE, now - 4 * MINUTE, { sample: 0 }, /`sample`: must be a number above 0/],
    [now - 5 * MINUTE, now - 4 * MINUTE, { sample: 2 }, /`sample`: must be a number above 0/],
    [now - 5 * MINUTE, now - 4 * MINUTE, { count: 0 }, /`count`: must lie from 1/],
    [now - 5 * MINUTE, now - 4 * MINUTE, { timestamps: 'iso' }, /`timestamps`/],
    [now - 5 * MINUTE, now - 4 * MINUTE, { other: 'x' }, /`other` is not known/],
  ];
  for (const [start, end, more, message] of wrong) {
    const error = await refusal(on.received(start, end, more));
    assert.ok(error instanceof Cloudflare.BadRequestError, message.source);
    assert.equal(error.errors[0]!.code, 1002);
    assert.match(error.errors[0]!.message!, message);
    // A new minute's share of requests, at the same time of day.
    on.shard.clock.pass(MINUTE);
    on.shard.clock.wall -= MINUTE;
  }
  const bad = await refusal(
    on.client.logs.received.get({ zone_id: 'z1', start: 'yesterday', end: '1.5' }),
  );
  assert.match(bad.errors[0]!.message!, /`start`: must be a time/);
});

test('a zone has fifteen requests a minute; others are not concerned', async () => {
  await using on = await stage();
  await on.fill(1);
  on.shard.clock.pass(2 * MINUTE);
  const end = on.begin + MINUTE;
  for (let count = 0; count < 15; count++)
    assert.deepEqual(rays(await on.received(on.begin, end)), [0]);
  const refused = await refusal(on.received(on.begin, end));
  assert.ok(refused instanceof Cloudflare.RateLimitError);
  assert.ok(refused.headers.get('retry-after'));
  assert.ok(
    (await refusal(on.client.logs.RayID.get('ray0', { zone_id: 'z1' }))) instanceof
      Cloudflare.RateLimitError,
  );
  on.shard.clock.pass(MINUTE);
  assert.deepEqual(rays(await on.received(on.begin, end)), [0]);
});

test('a token reads its own zones; the fields come in no envelope', async () => {
  await using on = await stage();
  const foreign = on.client.logs.received.get({ zone_id: 'z2', start: '1', end: '2' });
  assert.ok((await refusal(foreign)) instanceof Cloudflare.PermissionDeniedError);
  const fields = (await on.client.logs.received.fields.get({ zone_id: 'z1' })) as Record<
    string,
    string
  >;
  assert.ok(Object.keys(fields).length > 100);
  assert.equal(typeof fields['RayID'], 'string');
});

test('lines that nobody keeps are said not to be kept, those of a zone with the flag are just not there yet', async () => {
  await using on = await stage();
  on.shard.clock.pass(10 * MINUTE);
  const never = await refusal(on.received(on.begin, on.begin + MINUTE));
  assert.ok(never instanceof Cloudflare.BadRequestError);
  assert.match(never.errors[0]!.message!, /lines are not kept/);
  const flag = await on.server.call('POST', '/client/v4/zones/z1/logs/control/retention/flag', {
    body: { flag: true },
  });
  assert.equal(flag.status, 200);
  assert.equal(await on.received(on.begin, on.begin + MINUTE), '');
  assert.equal(on.server.published.at(-1)?.zones.find(({ id }) => id === 'z1')?.retention, true);
});

test('NDJSON is not called JSON, and comes compressed to whoever takes that', async () => {
  await using on = await stage();
  await on.fill(500);
  on.shard.clock.pass(MINUTE);
  const window = new URLSearchParams({
    start: new Date(on.begin).toISOString(),
    end: new Date(on.begin + 1_000).toISOString(),
  });
  const path = `/client/v4/zones/z1/logs/received?${window.toString()}`;
  const plain = await on.server.call('GET', path, { headers: { 'accept-encoding': 'identity' } });
  assert.equal(plain.headers.get('content-type'), 'application/x-ndjson');
  assert.equal(plain.headers.get('content-encoding'), null);
  const small = await on.server.call('GET', path, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(small.headers.get('content-encoding'), 'gzip');
  assert.equal(small.text, plain.text);
  assert.deepEqual(rays(plain.text), upTo(500));
});

test('an answer that breaks off ends with "Error streaming data", and its status was 200', async () => {
  let pages = 0;
  await using on = await stage((reader) => ({
    async page(...wish) {
      const read = await reader.page(...wish);
      // The first page holds the first half of the window.
      if (++pages > 1 || read.kind !== 'blocks') throw new Error('the shard is down');
      return { ...read, blocks: read.blocks.filter(({ range }) => range.from < 20) };
    },
  }));
  await on.fill(20);
  await on.fill(20);
  on.shard.clock.pass(MINUTE);
  const text = await on.received(on.begin, on.begin + 2_000);
  assert.deepEqual(rays(text), upTo(20));
  assert.ok(text.endsWith('}\nError streaming data\n'));
});

test('clients that hang up, before the answer or in the middle of it, make room for others', async () => {
  await using on = await stage();
  for (let second = 0; second < 40; second++) await on.fill(1_000);
  on.shard.clock.pass(MINUTE);
  const window = new URLSearchParams({
    start: new Date(on.begin).toISOString(),
    end: new Date(on.begin + 40_000).toISOString(),
  });
  const url = `${on.server.url}/client/v4/zones/z1/logs/received?${window.toString()}`;
  for (let count = 0; count < 6; count++) {
    const giveUp = new AbortController();
    const headers = { authorization: `Bearer ${on.server.operator}` };
    const asked = fetch(url, { headers, signal: giveUp.signal });
    if (count % 2 === 0) {
      setImmediate(() => giveUp.abort());
      await assert.rejects(asked);
    } else {
      await (await asked).body?.getReader().read();
      giveUp.abort();
    }
  }
  // The server learns of it a moment later.
  let text: string | undefined;
  while (text === undefined) {
    text = await on.received(on.begin, on.begin + 1_000).catch((error: unknown) => {
      assert.match(String(error), /under way/);
      on.shard.clock.pass(MINUTE);
      return undefined;
    });
  }
  assert.deepEqual(rays(text), upTo(1_000));
});

test('lines are found by ray id, with or without the code of the data centre', async () => {
  await using on = await stage();
  await on.fill(300);
  const found = await on.client.logs.RayID.get('ray123', {
    zone_id: 'z1',
    fields: 'RayID,EdgeStartTimestamp',
    timestamps: 'unix',
  });
  assert.equal(found, '{"RayID":"ray123","EdgeStartTimestamp":1732000000}\n');
  assert.equal(
    await on.client.logs.RayID.get('ray123-DFW', { zone_id: 'z1', fields: 'RayID' }),
    '{"RayID":"ray123"}\n',
  );
  assert.equal(await on.client.logs.RayID.get('ray999', { zone_id: 'z1' }), '');
  const long = await refusal(on.client.logs.RayID.get('x'.repeat(17), { zone_id: 'z1' }));
  assert.ok(long instanceof Cloudflare.BadRequestError);
});
