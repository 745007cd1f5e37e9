/** Whatever receivers, disk and process do: every line is settled exactly once, and the books balance (I2, I7). */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { settledLines } from '../model/delivery.ts';
import { accepts, jobOf, numbered, World } from './testing/world.ts';
import type { Receiver } from './testing/world.ts';
import { runs } from '../lib/testing/depth.ts';

const STREAM = 'zones/z1/http_requests';

type Step =
  | { readonly kind: 'lines'; readonly count: number; readonly codec: 'raw' | 'deflate' }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'fail'; readonly what: 'plan' | 'settle' | 'read'; readonly times: number }
  | { readonly kind: 'crash' }
  | { readonly kind: 'toggle' }
  | { readonly kind: 'lose' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('lines' as const),
      count: fc.integer({ min: 1, max: 9 }),
      codec: fc.constantFrom('raw' as const, 'deflate' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(200_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      what: fc.constantFrom('plan' as const, 'settle' as const, 'read' as const),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('toggle' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const) }) },
);

/** What the receiver says, one answer after the other; then it accepts. Lines ending in 7 it always refuses. */
const answers = fc.array(fc.constantFrom('accept', 'retry', 'split', 'reject'), { maxLength: 40 });

function scripted(script: readonly string[]): Receiver {
  const left = [...script];
  return (received, signal) => {
    switch (left.shift()) {
      case 'retry':
        return { kind: 'retry', reason: 'busy', status: 503 };
      case 'split':
        return { kind: 'split', reason: 'too large', status: 413 };
      case 'reject':
        return { kind: 'reject', reason: 'not valid', status: 400 };
      default:
        if (!received.lines.some((line) => line.endsWith('7}'))) return accepts(received, signal);
        return { kind: 'reject', reason: 'not valid', status: 400 };
    }
  };
}

it('every line is settled exactly once, as what the waybill says (I2)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), answers, async (steps, script) => {
      const world = new World({ batchLines: 12 });
      world.receiver = scripted(script);
      let job = jobOf(1);
      await world.delivery.apply([job], 1);
      let lines = 0;
      const put = (texts: readonly string[], codec: 'raw' | 'deflate' = 'raw') => {
        world.add(STREAM, texts, codec);
        accepted.push(...texts);
        lines = accepted.length;
      };
      const accepted: string[] = [];
      const lost = new Set<number>();
      for (const one of steps) {
        switch (one.kind) {
          case 'lines':
            put(numbered(one.count, lines), one.codec);
            break;
          case 'pass':
            await world.pass(one.ms);
            break;
          case 'fail':
            world.buffer.failing[one.what] += one.times;
            break;
          case 'crash':
            await world.delivery.close();
            world.restart();
            await world.delivery.apply([job], 1);
            break;
          case 'toggle':
            job = jobOf(1, { enabled: !job.enabled });
            await world.delivery.apply([job], 1);
            break;
          case 'lose':
            // The newest block only: what a receiver may have already keeps being readable here. The plan that was recorded last may
            // be a half of an earlier one.
            if (
              lines > Math.max(0, ...world.buffer.planned.map(({ range }) => range.to)) &&
              lost.size === 0
            ) {
              lost.add(lines - 1);
              world.buffer.lose(STREAM, { from: lines - 1, to: lines }, 'corrupt');
            }
            break;
        }
      }
      await world.delivery.apply([jobOf(1)], 2);
      // Good lines now and then, so that a refused one is seen to be the odd one out.
      for (let round = 0; round < 12; round += 1) {
        put(['{"n":"good"}']);
        await world.pass(150_000);
      }
      const { totals, cursor, open } = world.buffer.job(1)!;
      assert.deepEqual(open, []);
      assert.equal(cursor, lines);
      assert.equal(settledLines(totals), lines);
      // The buffer has checked that no line was settled twice; now what stands behind the sums.
      const rejected = totals.dropped.rejected_by_destination ?? 0;
      const keptOffsets = new Set(world.kept.map(({ offset }) => offset));
      assert.equal(keptOffsets.size, rejected);
      for (const { offset } of world.kept) {
        const alone = world.attempts.filter(
          ({ range, outcome }) =>
            range.from === offset &&
            range.to === offset + 1 &&
            (outcome === 'reject' || outcome === 'split'),
        );
        assert.ok(alone.length >= 2, 'a line is given up only after it was refused alone, twice');
      }
      assert.equal(world.delivered().length, totals.delivered);
      for (const { batch, lines: got } of world.objects.values()) {
        const range = accepted.slice(batch.from, batch.to);
        if (got.length === range.length) assert.deepEqual(got, range);
        else assert.ok(lost.size > 0, 'only lines that cannot be read are missing from a batch');
      }
      const settledNames = new Set(world.buffer.waybills.map(({ plan }) => plan));
      for (const { batch } of world.objects.values()) assert.ok(settledNames.has(batch.id));
      // Repeats are the same bytes under the same name (I7).
      const byName = new Map<string, string>();
      for (const { batch, plain } of world.sent) {
        assert.equal(byName.get(batch.name) ?? plain, plain);
        byName.set(batch.name, plain);
      }
      assert.ok(keptOffsets.size + totals.delivered + (totals.dropped.corrupt ?? 0) === lines);
    }),
    { numRuns: runs(60) },
  );
});
