import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwardLoop } from '../kill/forward-loop.ts';

test('60 kills of forwarder and server under load: every promised line stands at the destination once (I1, I7)', async () => {
  const { kills, verdict, repeats, problems } = await forwardLoop({
    kills: 60,
    mostMs: 5 * 60_000,
    producers: 4,
  });
  assert.deepEqual(problems, []);
  assert.ok(kills >= 10 && verdict.promised > 1_000, `${kills} kills, ${verdict.promised} lines`);
  assert.ok(repeats > 0, 'a batch was sent again after a lost answer');
  const { missing, spurious, damaged, repeated } = verdict;
  assert.deepEqual(
    [missing, spurious, damaged, repeated],
    [0, 0, 0, 0],
    verdict.examples.join('\n'),
  );
});
