import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProducerMemory, WINDOW } from './producers.ts';

const STREAM = 1;
const identity = (sequence: number, epoch = 1) =>
  ({ kind: 'producer', producer: 9n, epoch, sequence }) as const;
const request = (first: number) => ({ stream: STREAM, first, lines: 1, bytes: 1, crc: 1 });

/** As after a restart. */
function restarted(memory: ProducerMemory): ProducerMemory {
  const again = new ProducerMemory(10);
  again.restore(JSON.parse(JSON.stringify(memory.snapshot())));
  return again;
}

test('I1: a request that was refused is new however many later ones were stored before it comes again', () => {
  const memory = new ProducerMemory(10);
  memory.remember(STREAM, identity(0), request(0));
  for (let sequence = 2; sequence < 100; sequence++) {
    memory.remember(STREAM, identity(sequence), request(sequence));
  }
  for (const each of [memory, restarted(memory)]) {
    assert.equal(each.find(STREAM, identity(1)).kind, 'new');
    assert.equal(each.find(STREAM, identity(0)).kind, 'forgotten');
    assert.equal(each.find(STREAM, identity(2)).kind, 'forgotten');
    each.remember(STREAM, identity(1), request(200));
    assert.equal(each.find(STREAM, identity(1)).kind, 'forgotten');
    assert.equal(each.find(STREAM, identity(50)).kind, 'forgotten');
  }
});

test('nothing that was not stored counts as stored, and nothing stored as new; what cannot be told is neither', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400), { maxLength: 300 }), (sequences) => {
      let memory = new ProducerMemory(10);
      const stored = new Set<number>();
      for (const [at, sequence] of sequences.entries()) {
        const seen = memory.find(STREAM, identity(sequence)).kind;
        if (seen === 'new') {
          assert.ok(!stored.has(sequence));
          memory.remember(STREAM, identity(sequence), request(at));
          stored.add(sequence);
        }
        if (at % 50 === 49) memory = restarted(memory);
      }
      for (let sequence = 0; sequence <= 400; sequence++) {
        const { kind } = memory.find(STREAM, identity(sequence));
        if (kind === 'stored' || kind === 'forgotten')
          assert.ok(stored.has(sequence), `${sequence}`);
        if (kind === 'new') assert.ok(!stored.has(sequence), `${sequence}`);
      }
    }),
  );
});

test('without holes a repeat is recognised however late it comes', () => {
  const memory = new ProducerMemory(10);
  for (let sequence = 0; sequence < 10_000; sequence++) {
    memory.remember(STREAM, identity(sequence), request(sequence));
  }
  assert.equal(memory.find(STREAM, identity(0)).kind, 'forgotten');
  assert.equal(memory.find(STREAM, identity(10_000 - WINDOW)).kind, 'stored');
  assert.equal(memory.find(STREAM, identity(0, 0)).kind, 'stale');
});

test('I5: of too many holes the oldest cannot be told any more, and are refused', () => {
  const memory = new ProducerMemory(10);
  for (let sequence = 1; sequence < 400; sequence += 2) {
    memory.remember(STREAM, identity(sequence), request(sequence));
  }
  assert.equal(memory.find(STREAM, identity(0)).kind, 'stale');
  assert.equal(memory.find(STREAM, identity(1)).kind, 'stale');
  assert.equal(memory.find(STREAM, identity(380)).kind, 'new');
  assert.ok(JSON.stringify(memory.snapshot()).length < 2_000);
});
