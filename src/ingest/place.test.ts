import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IngestTokenConfig } from '../model/snapshot.ts';
import { routeTable } from '../route/index.ts';
import type { RouteTable } from '../route/index.ts';
import { sampleSnapshot } from './testing.ts';
import { zoneFinder } from './place.ts';

const all: IngestTokenConfig = { id: 'all', hash: '', scopes: 'all' };
const own: IngestTokenConfig = { id: 'own', hash: '', scopes: [{ kind: 'account', id: 'a1' }] };

function counted(snapshot = sampleSnapshot()): RouteTable & { asked: number } {
  const table = routeTable(snapshot);
  const counting = {
    ...table,
    asked: 0,
    zoneByValue(value: string) {
      counting.asked++;
      return table.zoneByValue(value);
    },
  };
  return counting;
}

test('a zone is looked up once per sender and configuration, what leads nowhere each time', () => {
  const route = counted();
  const zones = zoneFinder(100);
  const place = { stream: 'zones/z1/http', account: 'a1', wanted: true };
  for (let index = 0; index < 3; index++) {
    assert.deepEqual(zones.finder(route, all, 'http')('one.example'), place);
  }
  assert.equal(route.asked, 1);
  for (let index = 0; index < 3; index++) {
    assert.equal(zones.finder(route, all, 'http')('nobody'), 'unknown');
  }
  assert.equal(route.asked, 4);
});

test('what one sender may write to is not remembered for another, nor for another dataset', () => {
  const route = counted();
  const zones = zoneFinder(100);
  assert.notEqual(zones.finder(route, all, 'http')('z3'), 'not_allowed');
  assert.equal(zones.finder(route, own, 'http')('z3'), 'not_allowed');
  const exact = zones.finder(route, all, 'exact')('z3');
  assert.ok(typeof exact === 'object' && exact.stream === 'zones/z3/exact');
});

test('I4: a request goes on with the configuration that it began with; the next has the new one', () => {
  const before = counted();
  const after = counted({ ...sampleSnapshot(), jobs: [] });
  const zones = zoneFinder(100);
  const wanted = (find: ReturnType<typeof zones.finder>): boolean | undefined => {
    const found = find('z1');
    return typeof found === 'object' ? found.wanted : undefined;
  };
  const underWay = zones.finder(before, all, 'http');
  assert.equal(wanted(underWay), true);
  const next = zones.finder(after, all, 'http');
  assert.equal(wanted(underWay), true);
  assert.equal(wanted(next), false);
  assert.equal(wanted(underWay), true);
});

test('I5: only so many zones are remembered', () => {
  const route = counted(sampleSnapshot(10));
  const find = zoneFinder(4).finder(route, all, 'http');
  for (let id = 0; id < 5; id++) find(`m${id}`);
  find('m4');
  assert.equal(route.asked, 5);
  find('m0');
  assert.equal(route.asked, 6);
});
