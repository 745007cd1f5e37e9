import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../lib/random.ts';
import { Groups } from './groups.ts';

test('groups hold what a map of maps would, whatever comes and goes', () => {
  const random = seededRandom(3);
  const below = (end: number) => Math.floor(random.fraction() * end);
  const groups = new Groups<number, { readonly id: number; readonly made: number }>();
  const plain = new Map<string, Map<number, { id: number; made: number }>>();
  for (let made = 0; made < 5_000; made += 1) {
    const group = `g${below(4)}`;
    const id = below(5);
    const held = plain.get(group) ?? new Map<number, { id: number; made: number }>();
    plain.set(group, held);
    if (below(2) === 0) {
      groups.put(group, { id, made });
      held.set(id, { id, made });
    } else {
      groups.remove(group, id);
      held.delete(id);
    }
    const byId = (a: { id: number }, b: { id: number }) => a.id - b.id;
    assert.deepEqual(groups.of(group).toSorted(byId), [...held.values()].toSorted(byId));
  }
  assert.deepEqual(groups.of('none'), []);
});
