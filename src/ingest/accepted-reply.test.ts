import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { acceptedReply } from './accepted-reply.ts';
import { takenReply } from './answer.ts';
import type { PartAnswer } from './answer.ts';

const count = fc.nat({ max: 3 });
const stream = fc.constantFrom('zones/z1/http', 'accounts/ä"\\/audit', 'zones/\u2028/x');
const stored = fc.record({
  epoch: fc.constantFrom('00f3a1c2d4e5f607', 'ffffffffffffffff'),
  range: fc.record({ from: fc.maxSafeNat(), to: fc.maxSafeNat() }),
  repeat: fc.constantFrom(false, false, true),
});
const accepted: fc.Arbitrary<PartAnswer> = fc.record(
  {
    kind: fc.constant('accepted' as const),
    stream: stream as fc.Arbitrary<`zones/${string}/${string}`>,
    lines: count,
    bytes: count,
    quarantined: fc.oneof(fc.constant(0), count),
    stored,
  },
  { requiredKeys: ['kind', 'stream', 'lines', 'bytes', 'quarantined'] },
);
const part: fc.Arbitrary<PartAnswer> = fc.oneof(
  { arbitrary: accepted, weight: 4 },
  fc.constant({ kind: 'unwanted' as const, stream: 'zones/z1/http' as const, lines: 2 }),
  fc.constant({
    kind: 'refused' as const,
    lines: 1,
    refusal: { code: 'line_shape', line: 3 } as const,
  }),
);

test('the short way to an answer says what the long one says', () => {
  let short = 0;
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 2 }),
      fc.constantFrom('disk' as const, 'memory' as const),
      fc.nat(),
      (parts, durability, keysReachBackS) => {
        const facts = { durability, keysReachBackS };
        const reply = acceptedReply(parts, facts);
        if (reply === undefined) return;
        short++;
        assert.deepEqual(reply, takenReply(parts, facts));
      },
    ),
    { numRuns: 1_000 },
  );
  assert.ok(short > 30, 'the short way was gone');
});
