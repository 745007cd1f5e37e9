import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBack, giveBackMemory } from './give-back.ts';

test('memory of its own is given back, however small; what others are views of is not', () => {
  const small = Buffer.allocUnsafeSlow(10);
  giveBackMemory(small.buffer);
  assert.equal(small.length, 0);
  giveBackMemory(small.buffer);

  const pooled = Buffer.from('one of many');
  assert.equal(pooled.buffer.byteLength, Buffer.poolSize);
  giveBackMemory(pooled.buffer);
  giveBack(pooled, 10);
  assert.equal(pooled.toString(), 'one of many');

  const shared = Buffer.from(new SharedArrayBuffer(4));
  giveBackMemory(shared.buffer);
  assert.equal(shared.length, 4);
});

test('a piece gives back memory that holds little else', () => {
  const memory = Buffer.allocUnsafeSlow(100);
  giveBack(memory.subarray(0, 50), 49);
  assert.equal(memory.length, 100);
  giveBack(memory.subarray(0, 50), 50);
  assert.equal(memory.length, 0);
});
