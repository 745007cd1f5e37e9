// The demo must not say that all is well when a delivered object is gone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runDemo } from '../support/demo.ts';

test('npm run demo -- --break ends in red with the lines that are missing', async () => {
  const { code, said } = await runDemo('--break');
  assert.equal(code, 1, said);
  const deleted = /one delivered object is deleted behind everybody's back: ([\d,]+) lines?/.exec(
    said,
  );
  assert.ok(deleted, said);
  assert.match(said, /✗ Alder Books/);
  assert.match(said, /missing \{"RayID":"[\da-f]{16}"/);
  assert.ok(said.includes(`✗ ${deleted[1]} line`), 'exactly the lines of that object are missed');
  assert.match(said, /✓ Cobalt Pay/);
});
