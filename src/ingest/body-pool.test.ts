import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyPool } from './body-pool.ts';
import { runs } from '../lib/testing/depth.ts';

const KIB = 1024;
const sizes = fc.oneof(fc.integer({ min: 0, max: 5_000 * KIB }), fc.constant(1024 * KIB));
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('take' as const), bytes: sizes }),
    fc.record({ kind: fc.constant('give' as const), which: fc.nat(7) }),
  ),
  { maxLength: 40 },
);

test('whatever is taken and given back, no two bodies share memory, and what lies idle is bounded', () => {
  const mostIdleBytes = 3_000 * KIB;
  fc.assert(
    fc.property(steps, (asked) => {
      const pool = new BodyPool(mostIdleBytes);
      const held: Buffer[] = [];
      for (const step of asked) {
        if (step.kind === 'give') {
          const [body] = held.splice(step.which, 1);
          if (body !== undefined) pool.give(body);
        } else {
          const body = pool.take(step.bytes);
          assert.equal(body.length, step.bytes);
          assert.ok(body.length === 0 || held.every((other) => other.buffer !== body.buffer));
          held.push(body);
        }
        assert.ok(pool.idleBytes <= mostIdleBytes);
      }
    }),
    { numRuns: runs(50) },
  );
});

test('a body’s memory is used for the next one of about its size, and not for a much smaller one', () => {
  const pool = new BodyPool(8 * KIB * KIB);
  const first = pool.take(2_000 * KIB);
  pool.give(first);
  assert.notEqual(pool.take(200 * KIB).buffer, first.buffer);
  assert.equal(pool.take(1_900 * KIB).buffer, first.buffer);
});

test('bodies of 64 KiB are worth keeping, and take little more than their size', () => {
  const pool = new BodyPool(8 * KIB * KIB);
  const first = pool.take(64 * KIB + 1);
  assert.ok(first.buffer.byteLength <= 96 * KIB);
  pool.give(first);
  assert.equal(pool.take(64 * KIB).buffer, first.buffer);
});

test('a body that is given back twice, or is not from here, is not lent twice', () => {
  const pool = new BodyPool(8 * KIB * KIB);
  const body = pool.take(500 * KIB);
  pool.give(body);
  pool.give(body);
  pool.give(Buffer.alloc(500 * KIB));
  assert.notEqual(pool.take(500 * KIB).buffer, pool.take(500 * KIB).buffer);
  assert.equal(pool.idleBytes, 0);
});

test('a body that was moved to another thread is lost until its memory comes back, and is then lent again', () => {
  const pool = new BodyPool(8 * KIB * KIB);
  const body = pool.take(500 * KIB);
  const back = structuredClone(body.buffer, { transfer: [body.buffer as ArrayBuffer] });
  pool.give(body);
  assert.equal(pool.idleBytes, 0, 'nothing is left of it here');
  assert.equal(pool.take(500 * KIB).length, 500 * KIB);
  pool.regain(back as ArrayBuffer);
  assert.equal(pool.take(500 * KIB).buffer, back);
  pool.regain(new ArrayBuffer(1_000));
  pool.regain(new ArrayBuffer(0));
  assert.equal(pool.idleBytes, 0, 'memory that is not from a pool is let go');
});
