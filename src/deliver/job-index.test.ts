import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JobIndex } from './job-index.ts';

test('a stream’s jobs are those that were added and not removed, each once', () => {
  const index = new JobIndex();
  for (const job of [1, 2, 2, 3]) index.add('s', job);
  index.add('other', 1);
  assert.deepEqual(index.of('s'), [1, 2, 3]);
  index.remove('s', 2);
  index.remove('s', 9);
  assert.deepEqual(index.of('s'), [1, 3]);
  index.remove('s', 1);
  assert.deepEqual(index.of('s'), [3]);
  index.remove('s', 3);
  assert.deepEqual([index.of('s'), index.of('other')], [[], [1]]);
});
