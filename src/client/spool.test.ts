import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import type { PostOutcome, Poster } from './post.ts';
import { createProducer } from './producer.ts';
import type { ProducerOptions } from './contract.ts';

const hasty: Clock = {
  ...systemClock,
  sleep: () => new Promise((resolve) => setImmediate(resolve)),
};
/** Of a process that has ended: whatever waits in it waits for ever. */
const stopped: Clock = { ...systemClock, sleep: () => new Promise(() => {}) };
const target = { scope: { kind: 'zone', id: 'z1' }, dataset: 'http_requests' } as const;

/** A server that takes everything, or leaves everything unanswered. */
function posterOf(answers: () => boolean) {
  const seen: { readonly headers: Readonly<Record<string, string>>; readonly body: string }[] = [];
  const poster: Poster = {
    post(_path, headers, body) {
      if (!answers()) return new Promise<PostOutcome>(() => {});
      seen.push({ headers, body: body.toString() });
      const accepted = body.toString().split('\n').length - 1;
      return Promise.resolve({
        kind: 'answered',
        status: 200,
        retryAfterMs: undefined,
        body: { accepted, streams: [] },
      });
    },
    close: () => {},
  };
  return { poster, seen };
}
const producerWith = (options: Partial<ProducerOptions>) =>
  createProducer({ url: 'http://127.0.0.1:1', token: 't', target, clock: hasty, ...options });

function folder() {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-spool-'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

test('what a process left in its spool is sent by the next one, once, under the same keys', async () => {
  const { directory, remove } = folder();
  const silent = posterOf(() => false);
  const first = producerWith({
    poster: silent.poster,
    spool: { directory },
    bodyLines: 2,
    clock: stopped,
  });
  await first.write('{"n":1}\n{"n":2}\n');
  await first.write('{"n":3}\n{"n":4}\n');
  while (readdirSync(directory).filter((name) => !name.endsWith('.new')).length < 2)
    await systemClock.sleep(1);
  const keys = readdirSync(directory).map((name) => name.split('.')[1]);
  // A body that was being written when the process ended.
  writeFileSync(join(directory, '000000000009.half.new'), '{"n":');

  const { poster, seen } = posterOf(() => true);
  const second = producerWith({ poster, spool: { directory } });
  await second.write('{"n":5}\n');
  await second.close();
  assert.deepEqual(
    seen.map(({ body }) => body),
    ['{"n":1}\n{"n":2}\n', '{"n":3}\n{"n":4}\n', '{"n":5}\n'],
  );
  assert.deepEqual(
    seen.slice(0, 2).map(({ headers }) => headers['idempotency-key']),
    keys,
  );
  assert.deepEqual(readdirSync(directory), []);
  remove();
});

test('a spool that is full makes writers wait, and tryWrite says no (I5)', async () => {
  const { directory, remove } = folder();
  const { poster } = posterOf(() => true);
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const late: Poster = { ...poster, post: (...body) => gate.then(() => poster.post(...body)) };
  const producer = producerWith({ poster: late, spool: { directory, bytes: 30 }, bodyBytes: 10 });
  assert.equal(producer.tryWrite('{"n":1}\n{"n":2}\n{"n":3}\n'), true);
  assert.equal(producer.tryWrite('{"n":4}\n'), false);
  let waited = true;
  const written = producer.write('{"n":4}\n').then(() => (waited = false));
  await systemClock.sleep(5);
  assert.equal(waited, true);
  open();
  await written;
  await producer.close();
  assert.equal(producer.totals().accepted, 4);
  remove();
});

test('numbered bodies carry their producer, epoch and number instead of a key', async () => {
  const { poster, seen } = posterOf(() => true);
  const numbers = { producer: '00f3a1c2d4e5f607', epoch: 3 };
  const producer = producerWith({ poster, numbers, bodyLines: 1, connections: 1 });
  await producer.write('{"n":1}\n');
  await producer.write('{"n":2}\n');
  await producer.close();
  assert.deepEqual(
    seen.map(({ headers }) => headers['waybill-producer']),
    ['00f3a1c2d4e5f607;epoch=3;seq=1', '00f3a1c2d4e5f607;epoch=3;seq=2'],
  );
  assert.equal(seen[0]!.headers['idempotency-key'], undefined);
});

test('lines of a stream that nobody wants are counted and not sent; unknown is not nobody (I4)', async () => {
  const { poster, seen } = posterOf(() => true);
  const known: { wants?: boolean } = {};
  const producer = producerWith({ poster, wanted: { wants: () => known.wants } });
  await producer.write('{"n":1}\n');
  known.wants = false;
  await producer.write('{"n":2}\n');
  await producer.close();
  assert.equal(seen.length, 1);
  const { accepted, unwanted, written } = producer.totals();
  assert.deepEqual([accepted, unwanted, written], [1, 1, 2]);
});
