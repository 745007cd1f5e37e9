import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { Findings } from './findings.ts';
import { JobBook } from './job-book.ts';
import { waybillHash } from './waybill.ts';
import type { Waybill } from './waybill.ts';

/** A chain of waybills of ten lines each: eight delivered, two excluded. */
function chain(length: number): Waybill[] {
  const waybills: Waybill[] = [];
  for (let sequence = 1; sequence <= length; sequence += 1) {
    const before = waybills.at(-1);
    waybills.push({
      job: 7,
      sequence,
      stream: 'zones/z/http_requests',
      epoch: '00000000000000aa',
      range: { from: sequence * 10, to: sequence * 10 + 10 },
      hour: 1,
      counts: { delivered: 8, excluded: { filter: 2 }, dropped: {} },
      plan: null,
      sha256: null,
      plainBytes: 0,
      sentBytes: 0,
      receipt: null,
      destination: null,
      configVersion: 1,
      atMs: 1,
      previous: before ? waybillHash(before) : null,
    });
  }
  return waybills;
}

function bookOf(waybills: readonly Waybill[]): { book: JobBook; problems: readonly string[] } {
  const findings = new Findings();
  const checkpoint = { sequence: 3, chain: waybillHash(chain(3)[2]!) };
  const book = new JobBook(7, checkpoint, findings);
  for (const waybill of waybills) book.add(waybill, waybillHash(waybill));
  return { book, problems: findings.list() };
}

test('waybills count once, whatever the order and however often they come', () => {
  const order = fc.shuffledSubarray(
    [...chain(8), ...chain(8)].map((_, index) => index),
    { minLength: 16 },
  );
  fc.assert(
    fc.property(order, (places) => {
      const all = [...chain(8), ...chain(8)];
      const { book, problems } = bookOf(places.map((place) => all[place]!));
      assert.deepEqual(problems, []);
      assert.deepEqual(book.totals, { delivered: 64, excluded: 16, dropped: 0 });
      assert.deepEqual(book.totalsToCheckpoint, { delivered: 24, excluded: 6, dropped: 0 });
      assert.deepEqual(book.settled.runs, [{ from: 10, to: 90 }]);
      assert.deepEqual(book.missing(1, 8), []);
    }),
  );
});

test('missing waybills are named', () => {
  const all = chain(9);
  const { book } = bookOf([all[1]!, all[4]!, all[5]!]);
  assert.deepEqual(book.missing(1, 9), ['1', '3 to 4', '7 to 9']);
  assert.deepEqual(book.missing(2, 6), ['3 to 4']);
});

test('I8: a waybill that was changed afterwards breaks the chain', () => {
  const all = chain(3);
  const forged = { ...all[1]!, counts: { delivered: 10, excluded: {}, dropped: {} } };
  for (const order of [
    [all[0]!, forged, all[2]!],
    [all[2]!, forged, all[0]!],
  ]) {
    assert.match(bookOf(order).problems.join(), /waybill 3 does not name the one before it/);
    const last = { ...all[2]!, atMs: 2 };
    assert.match(
      bookOf([last]).problems.join(),
      /waybill 3 is not the one that the checkpoint knows/,
    );
  }
});

test('I2: a waybill that settles lines twice, or not exactly its lines, is told', () => {
  const [first, second] = chain(2);
  const range = { from: 15, to: 25 };
  const { book, problems } = bookOf([first!, { ...second!, range }]);
  assert.match(problems.join(), /waybill 2 settles 5 lines a second time/);
  assert.equal(book.settledTwice, 5);
  const short = { ...first!, range: { from: 10, to: 21 } };
  assert.match(bookOf([short]).problems.join(), /waybill 1 accounts for 10 lines of 11/);
});
