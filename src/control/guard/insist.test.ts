import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import type { Edit } from '../store/store.ts';
import { candidateOf } from './insist.ts';

const deleting = (id: number, deletedMs: number) =>
  [
    { kind: 'job', id: String(id), before: { id }, after: undefined },
    { kind: 'deleted_job', id: String(id), before: undefined, after: { id, deletedMs, by: 'ann' } },
  ] as unknown as readonly Edit[];

test('a deletion that is worked out a second later is the same change: who insists on it is heard', async () => {
  const sum = (id: number, deletedMs: number) => candidateOf(deleting(id, deletedMs), systemClock);
  assert.equal(await sum(7, 1_000), await sum(7, 2_000));
  assert.notEqual(await sum(7, 1_000), await sum(8, 1_000));
});
