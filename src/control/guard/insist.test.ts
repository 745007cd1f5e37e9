import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Edit } from '../store/store.ts';
import { candidateOf } from './insist.ts';

const deleting = (deletedMs: number, by: string) =>
  [
    {
      kind: 'deleted_job',
      id: '7',
      before: undefined,
      after: { id: 7, job: { id: 7 }, deletedMs, by },
    },
  ] as unknown as readonly Edit[];

test('a deletion that is worked out a second later is the same change: who insists on it is heard', () => {
  assert.equal(candidateOf(deleting(1_000, 'ann')), candidateOf(deleting(2_000, 'ann')));
  assert.notEqual(candidateOf(deleting(1_000, 'ann')), candidateOf(deleting(1_000, 'bob')));
});
