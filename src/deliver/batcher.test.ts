import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { BlockInfo } from '../buffer/index.ts';
import { hourOf } from '../model/delivery.ts';
import { limits } from '../model/limits.ts';
import { batchCaps, chooseBatch, enoughBytes } from './batcher.ts';
import type { BatchQuestion } from './batcher.ts';

const T0 = Date.UTC(2026, 10, 23, 6, 30);
const CAPS = { lines: 100, bytes: 10_000, intervalMs: 1_000 };
const ENGINE = { batchBytes: 64, batchLines: 1_000, targetBytes: 16 };

/** Consecutive blocks of 10 bytes a line. */
function blocks(...sizes: (number | { lines: number; atMs: number })[]): BlockInfo[] {
  let from = 0;
  return sizes.map((size) => {
    const { lines, atMs } = typeof size === 'number' ? { lines: size, atMs: T0 } : size;
    const range = { from, to: from + lines };
    from = range.to;
    return { range, receivedMs: atMs, plainBytes: lines * 10, storedBytes: lines * 2 };
  });
}

function choose(infos: readonly BlockInfo[], changes: Partial<BatchQuestion> = {}) {
  const head = infos.at(-1)?.range.to ?? 0;
  const next = { from: 0, to: Number.POSITIVE_INFINITY };
  return chooseBatch({
    next,
    head,
    infos,
    more: false,
    caps: CAPS,
    nowWallMs: T0,
    overdue: false,
    ...changes,
  });
}

function rangeOf(infos: readonly BlockInfo[], changes: Partial<BatchQuestion> = {}) {
  const choice = choose(infos, changes);
  return choice.kind === 'ready' ? [choice.range.from, choice.range.to] : choice.kind;
}

describe('batchCaps', () => {
  const none = { maxUploadBytes: 0, maxUploadRecords: 0, maxUploadIntervalMs: 0 };

  it('a job’s numbers are upper bounds within the engine’s', () => {
    assert.deepEqual(batchCaps(none, {}, ENGINE, 5), { lines: 1_000, bytes: 16, intervalMs: 5 });
    const own = { maxUploadBytes: 40, maxUploadRecords: 7, maxUploadIntervalMs: 3 };
    assert.deepEqual(batchCaps(own, {}, ENGINE, 5), { lines: 7, bytes: 40, intervalMs: 3 });
    const huge = { maxUploadBytes: 1e9, maxUploadRecords: 1e9, maxUploadIntervalMs: 1e9 };
    assert.deepEqual(batchCaps(huge, {}, ENGINE, 5), { lines: 1_000, bytes: 64, intervalMs: 5 });
  });

  it('the receiver’s bounds override', () => {
    const receiver = { batchBytes: 8, batchLines: 2 };
    assert.deepEqual(batchCaps(none, receiver, ENGINE, 5), { lines: 2, bytes: 8, intervalMs: 5 });
  });
});

/** A batch that is not full: closes after `delayMs`; `lookAtBytes` is the part of a full one that may close when it is quiet. */
const waits = (delayMs: number, plainBytes: number) => ({
  kind: 'wait',
  delayMs,
  lookMs: delayMs,
  plainBytes,
  lookAtBytes: 2_500,
});

describe('chooseBatch', () => {
  it('waits until the first line has waited for the interval', () => {
    assert.deepEqual(choose(blocks(5, 5)), waits(1_000, 100));
    assert.deepEqual(rangeOf(blocks(5, 5), { nowWallMs: T0 + 1_000 }), [0, 10]);
  });

  it('closes before the block that does not fit any more', () => {
    assert.deepEqual(rangeOf(blocks(60, 30, 20)), [0, 90]);
    assert.deepEqual(rangeOf(blocks(60, 40)), [0, 100]);
    assert.deepEqual(rangeOf(blocks(60, 30), { caps: { ...CAPS, bytes: 700 } }), [0, 60]);
  });

  it('cuts a block that alone is too large', () => {
    assert.deepEqual(rangeOf(blocks(250)), [0, 100]);
    assert.deepEqual(rangeOf(blocks(250), { next: { from: 200, to: Infinity } }), 'wait');
    assert.deepEqual(rangeOf(blocks(50), { caps: { ...CAPS, bytes: 5 } }), [0, 1]);
  });

  it('begins within a block and ends before lines that are planned or settled', () => {
    const next = { from: 3, to: 8 };
    assert.deepEqual(rangeOf(blocks(5, 5), { next }), [3, 8]);
  });

  it('closes at the end of a UTC hour, and never spans two', () => {
    const atMs = T0 + 30 * 60_000;
    assert.deepEqual(rangeOf(blocks(5, { lines: 5, atMs }), { nowWallMs: T0 }), [0, 5]);
    const nearly = choose(blocks({ lines: 5, atMs: atMs - 300 }), { nowWallMs: atMs - 200 });
    assert.deepEqual(nearly, waits(200, 50));
  });

  it('a wall clock that was set back delays nothing beyond the interval', () => {
    const choice = choose(blocks(5), { nowWallMs: T0 - 3_600_000 });
    assert.deepEqual(choice, waits(1_000, 50));
  });

  it('a good part of a batch closes when its stream has been quiet for a part of the interval', () => {
    const caps = { ...CAPS, bytes: 400 };
    const infos = blocks({ lines: 5, atMs: T0 }, { lines: 5, atMs: T0 + 150 });
    const at = (ms: number) => choose(infos, { caps, nowWallMs: T0 + ms });
    const wait = { kind: 'wait', delayMs: 840, lookMs: 190, plainBytes: 100 };
    assert.deepEqual(at(160), { ...wait, lookAtBytes: Infinity });
    assert.equal(at(349).kind, 'wait');
    assert.equal(at(350).kind, 'ready');
    const less = choose(infos, { caps: { ...CAPS, bytes: 404 }, nowWallMs: T0 + 900 });
    assert.equal(less.kind, 'wait');
  });

  it('a hole in the index is read at once, so that the buffer can say why', () => {
    assert.deepEqual(rangeOf([], { head: 7 }), [0, 7]);
    const [, second] = blocks(5, 5);
    assert.deepEqual(rangeOf([second!]), [0, 5]);
    const [first, , third] = blocks(5, 5, 5);
    assert.deepEqual(rangeOf([first!, third!]), [0, 5]);
  });

  it('a full look into the index is a full batch', () => {
    assert.deepEqual(rangeOf(blocks(5, 5), { more: true, head: 11 }), [0, 10]);
  });

  it('keeps every promise for any blocks and bounds', () => {
    const block = fc.record({ lines: fc.integer({ min: 1, max: 40 }), minutes: fc.nat(40) });
    fc.assert(
      fc.property(
        fc.array(block, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 800 }),
        fc.nat(30),
        (sizes, lines, bytes, skip) => {
          let atMs = T0;
          const infos = blocks(
            ...sizes.map((size) => ({ lines: size.lines, atMs: (atMs += size.minutes * 60_000) })),
          );
          const head = infos.at(-1)!.range.to;
          const from = Math.min(skip, head - 1);
          const caps = { lines, bytes, intervalMs: 1_000 };
          const next = { from, to: Infinity };
          const choice = choose(infos, { next, caps, nowWallMs: atMs + 3_600_000 });
          assert.ok(choice.kind === 'ready');
          const { range } = choice;
          assert.equal(range.from, from);
          assert.ok(range.to > from && range.to <= head);
          assert.ok(range.to - from <= lines);
          assert.ok((range.to - from) * 10 <= bytes || range.to - from === 1);
          const hours = infos
            .filter((info) => info.range.from < range.to && info.range.to > from)
            .map((info) => hourOf(info.receivedMs));
          assert.equal(new Set(hours).size, 1);
        },
      ),
    );
  });
});

describe('enoughBytes', () => {
  it('what it shows of a backlog leads to the same choice as all of it', () => {
    const block = fc.record({
      lines: fc.integer({ min: 1, max: 1_000 }),
      plainBytes: fc.integer({ min: 1, max: limits.buffer.deflatedBytes }),
      hour: fc.constantFrom(0, 0, 0, 0, 1),
    });
    const caps = fc.record({
      lines: fc.integer({ min: 1, max: 5_000 }),
      bytes: fc.integer({ min: 1, max: 4 * 1024 * 1024 }),
      intervalMs: fc.constant(1_000),
    });
    fc.assert(
      fc.property(
        fc.array(block, { minLength: 1, maxLength: 20 }),
        caps,
        fc.nat(),
        (made, cap, at) => {
          let from = 0;
          let hours = 0;
          const infos = made.map(({ lines, plainBytes, hour }) => {
            const range = { from, to: from + lines };
            from = range.to;
            hours += hour;
            return {
              range,
              receivedMs: T0 + hours * 3_600_000,
              plainBytes,
              storedBytes: plainBytes,
            };
          });
          const next = { from: at % infos[0]!.range.to, to: Number.POSITIVE_INFINITY };
          let seen = 0;
          let bytes = 0;
          while (seen < infos.length && bytes < enoughBytes(cap))
            bytes += infos[seen++]!.plainBytes;
          const question = { next, caps: cap, head: from };
          assert.deepEqual(choose(infos.slice(0, seen), question), choose(infos, question));
        },
      ),
    );
  });
});
