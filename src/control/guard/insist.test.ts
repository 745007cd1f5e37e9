import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Edit } from '../store/store.ts';
import { candidateOf } from './insist.ts';

const deleting = (id: number, deletedMs: number) =>
  [
    { kind: 'job', id: String(id), before: { id }, after: undefined },
    { kind: 'deleted_job', id: String(id), before: undefined, after: { id, deletedMs, by: 'ann' } },
  ] as unknown as readonly Edit[];

test('a deletion that is worked out a second later is the same change: who insists on it is heard', () => {
  assert.equal(candidateOf(deleting(7, 1_000)), candidateOf(deleting(7, 2_000)));
  assert.notEqual(candidateOf(deleting(7, 1_000)), candidateOf(deleting(8, 1_000)));
});
