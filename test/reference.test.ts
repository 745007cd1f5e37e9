import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pages } from '../scripts/reference.ts';

for (const [path, page] of Object.entries(pages)) {
  test(`${path} says what the code says (node scripts/reference.ts makes it anew)`, () => {
    assert.equal(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'), page());
  });
}
