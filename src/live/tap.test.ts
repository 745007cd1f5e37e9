import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { manualClock } from '../lib/clock-manual.ts';
import { seededRandom } from '../lib/random.ts';
import type { LiveLines, TapLimits, TappedLines } from './contract.ts';
import { Tap } from './tap.ts';
import { runs } from '../lib/testing/depth.ts';

const STREAM = 'zones/z1/http_requests';
const LIMITS: TapLimits = { tapBytes: 2_000, tapLines: 20, tickMs: 100 };

function linesOf(count: number, from = 0, padding = 0): LiveLines {
  const texts = Array.from(
    { length: count },
    (_, index) => `{"n":${from + index}${' '.repeat(padding)}}\n`,
  );
  let end = 0;
  return {
    bytes: Buffer.from(texts.join('')),
    ends: Uint32Array.from(texts, (text) => (end += text.length)),
  };
}

function tapped(limits: Partial<TapLimits> = {}) {
  const clock = manualClock();
  const handed: TappedLines[] = [];
  const tap = new Tap({
    clock,
    random: seededRandom(3),
    limits: { ...LIMITS, ...limits },
    hand: (lines) => handed.push(lines),
  });
  return { clock, handed, tap };
}

const see = (tap: Tap, lines: LiveLines) => tap.onlooker(STREAM)?.seeAll(lines);

function seeSingly(tap: Tap, { bytes, ends }: LiveLines): void {
  let start = 0;
  for (const end of ends) {
    tap.onlooker(STREAM)?.see(bytes, start, end);
    start = end;
  }
}

const textsOf = (lines: TappedLines | undefined) =>
  Buffer.from(lines?.bytes ?? [])
    .toString()
    .split('\n')
    .slice(0, -1);

test('while nobody listens there is neither work nor a timer', () => {
  const { clock, tap } = tapped();
  assert.equal(tap.watching, false);
  tap.watch([{ session: 's', stream: STREAM }]);
  assert.equal(tap.watching, true);
  tap.watch([]);
  assert.equal(tap.watching, false);
  assert.equal(clock.timers(), 0);
});

test('few lines are all handed over, as they came, each for itself', () => {
  const { clock, handed, tap } = tapped();
  tap.watch([{ session: 's', stream: STREAM }]);
  see(tap, linesOf(5));
  assert.equal(tap.onlooker('zones/z2/http_requests'), undefined);
  see(tap, linesOf(3, 5));
  clock.advance(100);
  assert.equal(handed.length, 1);
  assert.equal(handed[0]?.weight, 1);
  assert.deepEqual(
    textsOf(handed[0]),
    Array.from({ length: 8 }, (_, n) => `{"n":${n}}`),
  );
});

test('until the last lines are taken none are handed over; what gathers meanwhile becomes a coarser sample', () => {
  const { clock, handed, tap } = tapped();
  tap.watch([{ session: 's', stream: STREAM }]);
  see(tap, linesOf(1));
  clock.advance(100);
  for (let round = 0; round < 50; round++) {
    see(tap, linesOf(100, round * 100));
    clock.advance(100);
  }
  assert.equal(handed.length, 1, 'one message at most is under way');
  tap.taken('s');
  clock.advance(100);
  assert.equal(handed.length, 2);
  const [, second] = handed;
  assert.ok(second!.lines <= LIMITS.tapLines && second!.bytes.length <= LIMITS.tapBytes);
  const truth = second!.lines * second!.weight;
  assert.ok(Math.abs(truth - 5_000) <= second!.weight, `${truth} for 5,000`);
});

test('weights sum to the number of lines, within one weight, however they come and whatever bound is met', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ count: fc.nat(400), padding: fc.nat(120), singly: fc.boolean() }), {
        maxLength: 12,
      }),
      (requests) => {
        const { clock, handed, tap } = tapped();
        tap.watch([{ session: 's', stream: STREAM }]);
        let sent = 0;
        for (const { count, padding, singly } of requests) {
          const lines = linesOf(count, sent, padding);
          if (singly) seeSingly(tap, lines);
          else see(tap, lines);
          sent += count;
        }
        clock.advance(100);
        const [lines] = handed;
        if (lines === undefined) return assert.equal(sent, 0);
        assert.equal(textsOf(lines).length, lines.lines);
        assert.ok(lines.lines <= LIMITS.tapLines && lines.bytes.length <= LIMITS.tapBytes);
        assert.ok(Math.abs(lines.lines * lines.weight - sent) <= lines.weight);
        const numbers = textsOf(lines).map((text) => Number(/\d+/.exec(text)?.[0]));
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
          'in their order',
        );
        assert.equal(new Set(numbers).size, numbers.length, 'none twice');
      },
    ),
    { numRuns: runs(200) },
  );
});

test('a line larger than all room is left out, and its neighbours are shown', () => {
  const { clock, handed, tap } = tapped();
  tap.watch([{ session: 's', stream: STREAM }]);
  see(tap, linesOf(1));
  see(tap, linesOf(1, 1, 5_000));
  see(tap, linesOf(1, 2));
  clock.advance(100);
  assert.deepEqual(textsOf(handed[0]), ['{"n":0}', '{"n":2}']);
});

test('a session in the place of another begins with nothing, and owes nothing', () => {
  const { clock, handed, tap } = tapped();
  tap.watch([{ session: 'first', stream: STREAM }]);
  see(tap, linesOf(2));
  clock.advance(100);
  see(tap, linesOf(2, 2));
  tap.watch([{ session: 'second', stream: STREAM }]);
  see(tap, linesOf(1, 4));
  clock.advance(100);
  assert.deepEqual(
    handed.map(({ session }) => session),
    ['first', 'second'],
  );
  assert.deepEqual(textsOf(handed[1]), ['{"n":4}']);
});
