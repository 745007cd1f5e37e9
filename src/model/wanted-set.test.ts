import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StreamKey } from './scope.ts';
import { judgeWanted, readWanted, wantedKey, writeWanted } from './wanted-set.ts';
import type { WantedSet } from './wanted-set.ts';
import { runs } from '../lib/testing/depth.ts';

const KEY = wantedKey('token');
const name = (n: number): StreamKey => `zones/z${String(n).padStart(3, '0')}/http_requests`;

function setOf(
  version: number,
  zones: readonly number[],
  ended: WantedSet['ended'] = [],
): WantedSet {
  return {
    version,
    streams: zones.map((n) => ({ stream: name(n), account: `a${n % 3}`, zone: `z${n}.example` })),
    ended,
  };
}
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

test('a set is read as it was written', () => {
  const set = setOf(12, upTo(5), [{ stream: name(9), version: 11 }]);
  const read = readWanted(writeWanted(set, KEY), KEY);
  assert.equal(read.kind, 'set');
  assert.deepEqual(read.kind === 'set' && read.set, set);
});

test('every prefix of a good set is refused (I4)', () => {
  const text = writeWanted(setOf(12, upTo(4), [{ stream: name(9), version: 11 }]), KEY).trimEnd();
  for (let length = 0; length < text.length; length++)
    assert.equal(readWanted(text.slice(0, length), KEY).kind, 'fault', `${length} characters`);
});

test('a set with any character changed is refused, or is the same set (I4)', () => {
  const set = setOf(12, upTo(3));
  const text = writeWanted(set, KEY);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (at, code) => {
      const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
      const read = readWanted(changed, KEY);
      if (read.kind === 'set') assert.deepEqual(read.set, set);
    }),
    { numRuns: runs(2_000) },
  );
});

test('a set that is sealed with another token is refused', () => {
  const read = readWanted(writeWanted(setOf(1, upTo(2)), wantedKey('other')), KEY);
  assert.deepEqual(read.kind === 'fault' && read.fault, 'seal');
});

/** Streams before, streams after, ended on purpose since, and whether it is taken. */
const JUDGED: readonly [
  before: readonly number[],
  after: readonly number[],
  ended: readonly number[],
  verdict: string,
][] = [
  [[], [0], [], 'take'],
  [[], [], [], 'blank'],
  [[0], [], [], 'blank'],
  [[0], [], [0], 'take'],
  [[0], [1], [], 'shrunken'],
  [[0, 1], [0], [], 'take'],
  [[0, 1, 2], [0], [], 'shrunken'],
  [[0, 1, 2], [0], [1], 'take'],
  [upTo(20), upTo(18), [], 'take'],
  [upTo(20), upTo(17), [], 'shrunken'],
  [upTo(20), upTo(17), [17], 'take'],
  [upTo(20), [], upTo(20), 'take'],
  [upTo(20), [], upTo(19), 'blank'],
  [upTo(100), upTo(90), [], 'take'],
  [upTo(100), upTo(89), [], 'shrunken'],
  [upTo(10), upTo(1_000), [], 'take'],
];

test('a set is judged by what is gone from it without having been ended on purpose', () => {
  for (const [before, after, ended, verdict] of JUDGED) {
    const last = before.length === 0 ? undefined : setOf(5, before);
    const next = setOf(
      6,
      after,
      ended.map((n) => ({ stream: name(n), version: 6 })),
    );
    const judged = judgeWanted(next, last);
    assert.equal(
      judged.kind === 'take' ? 'take' : judged.doubt,
      verdict,
      `${before.length} ${after.length}`,
    );
  }
});

test('what was ended before the last good set does not excuse what is gone since', () => {
  const ended = upTo(20).map((n) => ({ stream: name(n), version: 5 }));
  const judged = judgeWanted(setOf(6, [], ended), setOf(5, upTo(20)));
  assert.equal(judged.kind === 'doubt' && judged.doubt, 'blank');
});

test('an older set is refused, however good', () => {
  const judged = judgeWanted(setOf(4, upTo(5)), setOf(5, upTo(5)));
  assert.equal(judged.kind === 'doubt' && judged.doubt, 'older');
});
