import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeldElsewhere, heldMemory } from '../lib/held-elsewhere.ts';
import { memoryBudget } from './memory.ts';

test('I5: whatever is asked for, neither the total nor a payer’s share is exceeded, and all comes back', () => {
  const steps = fc.array(fc.record({ lease: fc.nat(9), grow: fc.nat(60), back: fc.boolean() }));
  fc.assert(
    fc.property(steps, (asked) => {
      const budget = memoryBudget(200, 90);
      const leases = Array.from({ length: 10 }, (_, index) => budget.lease(`p${index % 4}`));
      for (const { lease, grow, back } of asked) {
        if (back) leases[lease]!.release();
        else leases[lease]!.grow(grow);
        assert.ok(budget.heldBytes <= 200);
        for (let payer = 0; payer < 4; payer++) {
          const own = leases.filter((_, index) => index % 4 === payer);
          assert.ok(own.reduce((sum, one) => sum + one.bytes, 0) <= 90);
        }
      }
      for (const lease of leases) lease.release();
      assert.equal(budget.heldBytes, 0);
      assert.equal(budget.room('p0', 90), 'ok');
    }),
  );
});

test('I6: when memory is tight, those above an equal part are refused, and small ones are not', () => {
  const budget = memoryBudget(160, 120);
  const flood = budget.lease('flood');
  assert.equal(flood.grow(110), 'ok');
  const small = budget.lease('small');
  assert.equal(small.grow(8), 'ok');
  assert.equal(flood.grow(5), 'over_fair_share');
  for (let index = 0; index < 4; index++) assert.equal(budget.lease(`s${index}`).grow(10), 'ok');
});

test('what is too much for everybody is told apart from what is too much for one', () => {
  const budget = memoryBudget(100, 80);
  assert.equal(budget.room('a', 81), 'over_fair_share');
  budget.lease('a').force(50);
  budget.lease('b').force(46);
  assert.equal(budget.room('c', 5), 'overloaded');
});

test('a refused charge charges nothing; a lease released twice gives back once', () => {
  const budget = memoryBudget(100, 100);
  const lease = budget.lease('a');
  assert.equal(lease.grow(60), 'ok');
  assert.equal(lease.grow(60), 'over_fair_share');
  assert.equal(lease.bytes, 60);
  lease.shrink(10);
  assert.equal(budget.heldBytes, 50);
  lease.release();
  lease.release();
  assert.deepEqual([budget.heldBytes, budget.peakBytes], [0, 60]);
});

test('I5: threads of several shards share one budget, in all and for each payer; what a dead thread held is forgotten', () => {
  const memory = heldMemory(2);
  const thread = (number: number) => memoryBudget(1_000, 600, new HeldElsewhere(memory, number));
  const [one, other] = [thread(0), thread(1)];
  const held = one.lease('a');
  assert.equal(held.grow(400), 'ok');
  assert.equal(other.room('a', 300), 'over_fair_share', 'its payer holds the rest elsewhere');
  assert.equal(other.room('b', 500), 'ok');
  assert.equal(other.room('b', 601), 'over_fair_share');
  assert.equal(one.lease('c').grow(50), 'ok');
  assert.equal(other.room('b', 590), 'overloaded');
  held.release();
  assert.equal(other.room('a', 300), 'ok');
  one.lease('a').force(500);
  assert.equal(other.room('a', 300), 'over_fair_share');
  thread(0);
  assert.equal(other.room('a', 300), 'ok');
});
