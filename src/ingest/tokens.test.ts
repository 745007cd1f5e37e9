import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { IngestTokenConfig } from '../model/snapshot.ts';
import { routeTable } from '../route/index.ts';
import type { RouteTable } from '../route/index.ts';
import { sampleSnapshot } from './testing.ts';
import { tokenReader } from './tokens.ts';

function counted(known: readonly string[]): RouteTable & { asked: number } {
  const tokens = new Map<string, IngestTokenConfig>(
    known.map((token) => [
      createHash('sha256').update(token).digest('hex'),
      { id: token, hash: '', scopes: 'all' },
    ]),
  );
  const table = {
    ...routeTable(sampleSnapshot()),
    asked: 0,
    token(hash: string) {
      table.asked++;
      return tokens.get(hash);
    },
  };
  return table;
}

test('a known token is looked up once per configuration, an unknown one each time', () => {
  const route = counted(['good']);
  const reader = tokenReader(10);
  for (let index = 0; index < 3; index++) {
    assert.deepEqual(reader.read(route, 'Bearer good'), { id: 'good', hash: '', scopes: 'all' });
  }
  assert.equal(route.asked, 1);
  for (let index = 0; index < 3; index++) {
    assert.deepEqual(reader.read(route, 'bearer bad'), { code: 'token_unknown' });
  }
  assert.equal(route.asked, 4);
});

test('a revoked token ends with the configuration that knew it', () => {
  const reader = tokenReader(10);
  reader.read(counted(['good']), 'Bearer good');
  assert.deepEqual(reader.read(counted([]), 'Bearer good'), { code: 'token_unknown' });
});

test('I5: only so many tokens are remembered, the newest ones', () => {
  const route = counted(['a', 'b', 'c']);
  const reader = tokenReader(2);
  for (const token of ['a', 'b', 'c']) reader.read(route, `Bearer ${token}`);
  reader.read(route, 'Bearer c');
  assert.equal(route.asked, 3);
  reader.read(route, 'Bearer a');
  assert.equal(route.asked, 4);
});
