import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareMoments,
  readRfc3339,
  readUnixTime,
  TIMESTAMP_BYTES,
  writeTimestamp,
} from './timestamp.ts';
import type { Moment, TimestampFormat } from './timestamp.ts';
import { runs } from './testing/depth.ts';

const reading =
  (read: typeof readUnixTime) =>
  (text: string): Moment | undefined => {
    const into = { seconds: -1, nanos: -1 };
    const bytes = Buffer.from(`"${text}"`);
    return read(bytes, 1, bytes.length - 1, into) ? into : undefined;
  };
const unix = reading(readUnixTime);
const rfc3339 = reading(readRfc3339);
const write = (moment: Moment, format: TimestampFormat): string => {
  const into = Buffer.alloc(TIMESTAMP_BYTES);
  return into.toString('latin1', 0, writeTimestamp(into, 0, moment, format));
};

test('nineteen digits of nanoseconds are all kept', () => {
  const moment = unix('1506702504433000201')!;
  assert.deepEqual(moment, { seconds: 1506702504, nanos: 433000201 });
  assert.equal(write(moment, 'unixnano'), '1506702504433000201');
  assert.equal(write(moment, 'rfc3339ns'), '2017-09-29T16:28:24.433000201Z');
});

test('a time is written in all five forms, cut off and never rounded', () => {
  const moment = { seconds: 1000000000, nanos: 999999999 };
  assert.equal(write(moment, 'unixnano'), '1000000000999999999');
  assert.equal(write(moment, 'unix'), '1000000000');
  assert.equal(write(moment, 'rfc3339'), '2001-09-09T01:46:40Z');
  assert.equal(write(moment, 'rfc3339ms'), '2001-09-09T01:46:40.999Z');
  assert.equal(write(moment, 'rfc3339ns'), '2001-09-09T01:46:40.999999999Z');
});

test('the size of an integer tells its unit', () => {
  assert.deepEqual(unix('0'), { seconds: 0, nanos: 0 });
  assert.deepEqual(unix('1506702504'), { seconds: 1506702504, nanos: 0 });
  assert.deepEqual(unix('1506702504433'), { seconds: 1506702504, nanos: 433000000 });
  assert.deepEqual(unix('1506702504433001'), { seconds: 1506702504, nanos: 433001000 });
  assert.deepEqual(unix('1506702504433001002'), { seconds: 1506702504, nanos: 433001002 });
});

test('what is no time is not read as one', () => {
  for (const text of ['', '-1', '1.5', '1e9', '12345678901234567890'])
    assert.equal(unix(text), undefined, text);
  for (const text of [
    '2023-02-29T00:00:00Z',
    '2023-13-01T00:00:00Z',
    '2023-01-01T24:00:00Z',
    '2023-01-01T00:00:00',
    '2023-01-01T00:00:00.Z',
    '2023-01-01T00:00:00+0100',
    '2023-01-01T00:00:00Zx',
    '1969-12-31T23:59:59Z',
    '20230101T000000Z____',
  ]) {
    assert.equal(rfc3339(text), undefined, text);
  }
});

test('offsets, short and long fractions, and a leap second are understood', () => {
  assert.deepEqual(rfc3339('2017-09-29T18:28:24.4+02:00'), {
    seconds: 1506702504,
    nanos: 400000000,
  });
  assert.deepEqual(rfc3339('2017-09-29 11:28:24.1234567891-05:00'), {
    seconds: 1506702504,
    nanos: 123456789,
  });
  assert.deepEqual(rfc3339('2016-12-31t23:59:60z'), rfc3339('2017-01-01T00:00:00Z'));
  assert.deepEqual(rfc3339('2024-02-29T00:00:00Z'), { seconds: 1709164800, nanos: 0 });
});

test('reading is the inverse of writing, and both agree with Date', () => {
  const moments = fc.record(
    {
      seconds: fc.integer({ min: 1_000_000_000, max: 9_999_999_999 }),
      nanos: fc.integer({ min: 0, max: 999_999_999 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(moments, (moment) => {
      assert.deepEqual(rfc3339(write(moment, 'rfc3339ns')), moment);
      assert.deepEqual(unix(write(moment, 'unixnano')), moment);
      const iso = new Date(moment.seconds * 1000 + Math.floor(moment.nanos / 1e6)).toISOString();
      assert.equal(write(moment, 'rfc3339ms'), iso);
    }),
    { numRuns: runs(1000) },
  );
});

test('moments are ordered by seconds, then nanoseconds', () => {
  assert.ok(compareMoments({ seconds: 1, nanos: 2 }, { seconds: 1, nanos: 3 }) < 0);
  assert.ok(compareMoments({ seconds: 2, nanos: 0 }, { seconds: 1, nanos: 9 }) > 0);
  assert.equal(compareMoments({ seconds: 2, nanos: 1 }, { seconds: 2, nanos: 1 }), 0);
});
