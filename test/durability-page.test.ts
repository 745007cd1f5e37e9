import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const page = readFileSync(new URL('../docs/durability.md', import.meta.url), 'utf8');

test('every invariant has its line of enforcement, and every test that it names is there', () => {
  for (let n = 1; n <= 10; n++)
    assert.match(page, new RegExp(`\\*\\*I${n} [^*]+\\*\\* Enforcement: `), `I${n}`);
  const named = [...page.matchAll(/`((?:src|test)\/[\w./-]+)`/g)].map(([, path]) => path!);
  assert.ok(named.length > 15);
  assert.deepEqual(
    named.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url))),
    [],
  );
});
