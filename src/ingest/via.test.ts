import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDoor } from './testing.ts';

test('the servers that lines came through are noted with the offsets that they got, and only once they are stored', async () => {
  const noted: unknown[] = [];
  const passedThrough = { note: (...args: unknown[]) => void noted.push(args) };
  await using door = await openDoor({ deps: { instance: 'me', passedThrough } });
  const via = { 'Waybill-Via': 'a, b' };
  await door.post('/v1/ingest/zones/z1/http', '{}\n{}\n', via);
  await door.post('/v1/ingest/zones/z1/http', '{}\n[]\n', via);
  await door.post('/v1/ingest/http?by=Zone', '{"Zone":"one.example"}\n', via);
  assert.deepEqual(noted, [
    ['zones/z1/http', { from: 0, to: 2 }, ['a', 'b']],
    ['zones/z1/http', { from: 2, to: 3 }, ['a', 'b']],
  ]);
});
