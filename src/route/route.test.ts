import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobConfig, Snapshot } from '../model/snapshot.ts';
import { routeTable, routeTableInTurns } from './route.ts';

const COUNT = 1_000;
const snapshot: Snapshot = {
  version: 5,
  accounts: Array.from({ length: COUNT }, (_, n) => ({
    id: `a${n}`,
    name: '',
    ambientCredentials: false,
  })),
  zones: Array.from({ length: COUNT }, (_, n) => ({
    id: `z${n}`,
    account: `a${n}`,
    name: `z${n}.example`,
    ...(n % 10 === 0 ? { retention: true } : {}),
  })),
  datasets: [{ id: 'd', scope: 'zone', fields: [], strict: false }],
  jobs: Array.from(
    { length: COUNT },
    (_, n) => ({ id: n, stream: `zones/z${n}/d`, enabled: n % 2 === 0 }) as JobConfig,
  ),
  tokens: [{ id: 't', hash: 'h', scopes: 'all' }],
};

test('a table that is made in turns is the one that is made at once, and no turn takes in more than a hundred objects', async () => {
  let asked = 0;
  let turns = 0;
  const slices = {
    isDue() {
      asked += 1;
      return true;
    },
    next: async () => void turns++,
  };
  const [once, sliced] = [routeTable(snapshot), await routeTableInTurns(snapshot, slices)];
  assert.equal(turns, asked);
  assert.ok(turns >= (3 * COUNT) / 100, String(turns));
  for (let n = 0; n <= COUNT; n += 1) {
    const scope = { kind: 'zone', id: `z${n}` } as const;
    for (const ask of [
      (table: typeof once) => table.accountOf(scope),
      (table: typeof once) => table.zoneByValue(`z${n}.example`)?.id,
      (table: typeof once) => table.wanted(`zones/z${n}/d`),
      (table: typeof once) => table.wanted(`zones/z${n}/http_requests`),
    ])
      assert.equal(ask(sliced), ask(once));
  }
  assert.deepEqual(
    [once.wanted('zones/z2/d'), once.wanted('zones/z3/d'), once.wanted('zones/z10/http_requests')],
    [true, false, true],
  );
  assert.deepEqual([sliced.version, sliced.token('h')?.id], [5, 't']);
  assert.equal(sliced.dataset('d', 'zone'), snapshot.datasets[0]);
});
