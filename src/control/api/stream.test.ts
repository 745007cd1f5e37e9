import assert from 'node:assert/strict';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { manualClock } from '../../lib/clock-manual.ts';
import { streamed } from './stream.ts';

const CHUNK = Buffer.alloc(300_000, 'a');

/** Chunks, and whether whoever makes them was told that no more are wanted. */
function source(count: number) {
  const told = { made: 0, ended: false };
  const chunks = (async function* () {
    try {
      while (told.made < count) {
        told.made++;
        yield CHUNK;
      }
    } finally {
      told.ended = true;
    }
  })();
  return { told, chunks };
}

test('what is made is sent, compressed when the client takes that', async () => {
  for (const [header, gzipped] of [
    [undefined, false],
    ['gzip', true],
    ['br, GZIP;q=0.5', true],
    ['*', true],
    ['br', false],
    ['gzip;q=0', false],
    ['identity', false],
  ] as const) {
    const { told, chunks } = source(3);
    const { body, headers } = streamed(chunks, header, manualClock(), 30_000);
    assert.equal(headers['content-encoding'], gzipped ? 'gzip' : undefined, header);
    const sent = await buffer(body);
    assert.equal((gzipped ? gunzipSync(sent) : sent).length, 3 * CHUNK.length);
    assert.ok(told.ended);
  }
});

test('while nobody reads, little is made; after the bound the answer is cut off and its maker told', async () => {
  for (const header of [undefined, 'gzip']) {
    const clock = manualClock();
    const { told, chunks } = source(1_000);
    const { body } = streamed(chunks, header, clock, 30_000);
    const failed = once(body, 'error');
    body.once('readable', () => {});
    body.read(1);
    while (told.made < 1) await new Promise((resolve) => setImmediate(resolve));
    for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(told.made < 200, `${told.made} chunks of 1,000 for nobody`);
    assert.equal(told.ended, false);
    clock.advance(30_000);
    await failed;
    while (!told.ended) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(clock.timers(), 0);
  }
});

test('a client that goes away ends the making', async () => {
  const { told, chunks } = source(1_000);
  const { body } = streamed(chunks, 'gzip', manualClock(), 30_000);
  await once(body, 'readable');
  body.destroy();
  while (!told.ended) await new Promise((resolve) => setImmediate(resolve));
});

test('a client that has gone before anything was sent ends it as well', async () => {
  for (const header of [undefined, 'gzip']) {
    const { told, chunks } = source(3);
    await chunks.next();
    streamed(chunks, header, manualClock(), 30_000).body.destroy();
    while (!told.ended) await new Promise((resolve) => setImmediate(resolve));
  }
});
