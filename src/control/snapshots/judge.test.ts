/** I4 at the start: every state of copy and store side by side, and which of them is in force. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeStart } from './judge.ts';
import type { CopyFacts, StoreFacts, Verdict } from './judge.ts';

const head = { file: 1, version: 9, sum: 'nine' };
const sums: Readonly<Record<number, string>> = { 7: 'seven', 8: 'eight', 9: 'nine' };
const whole = (version: number, sum = sums[version]!, known = sums): StoreFacts => ({
  kind: 'whole',
  version,
  sum,
  sumAt: (at) => known[at],
});
const lost: StoreFacts = { kind: 'trouble', trouble: 'missing', detail: 'It is missing.' };

const copies = {
  absent: { kind: 'absent' },
  whole: { kind: 'whole', version: 9, sum: 'nine' },
  unconfirmed: {
    kind: 'whole',
    version: 9,
    sum: 'nine',
    unconfirmed: { version: 8, sum: 'eight' },
  },
  'rest at 8, head known': { kind: 'damaged', version: 8, sum: 'eight', head, detail: 'bad' },
  'rest at 8, no head': {
    kind: 'damaged',
    version: 8,
    sum: 'eight',
    head: undefined,
    detail: 'bad',
  },
  'rest of nothing': { kind: 'damaged', version: 0, sum: '0'.repeat(16), head, detail: 'bad' },
  unreadable: { kind: 'unreadable', head, detail: 'bad' },
} satisfies Record<string, CopyFacts>;

const stores = {
  lost,
  same: whole(9),
  'one older': whole(8),
  'older by two': whole(7),
  newer: whole(10, 'ten', { ...sums, 10: 'ten' }),
  'newer of another line': whole(10, 'ten', {}),
  'same version, other content': whole(9, 'blank'),
} satisfies Record<string, StoreFacts>;

type Row = Record<keyof typeof stores, Verdict['kind'] | `take_copy ${string}`>;

const TABLE: Record<keyof typeof copies, Row> = {
  absent: {
    lost: 'refuse',
    same: 'take_store',
    'one older': 'take_store',
    'older by two': 'take_store',
    newer: 'take_store',
    'newer of another line': 'take_store',
    'same version, other content': 'take_store',
  },
  whole: {
    lost: 'take_copy missing',
    same: 'agree',
    'one older': 'take_copy older',
    'older by two': 'take_copy older',
    newer: 'take_copy newer_version',
    'newer of another line': 'take_copy newer_version',
    'same version, other content': 'take_copy differs',
  },
  unconfirmed: {
    lost: 'take_copy missing',
    same: 'agree',
    'one older': 'undo',
    'older by two': 'take_copy older',
    newer: 'take_copy newer_version',
    'newer of another line': 'take_copy newer_version',
    'same version, other content': 'take_copy differs',
  },
  'rest at 8, head known': {
    lost: 'take_copy missing',
    same: 'take_store',
    'one older': 'take_store',
    'older by two': 'take_copy older',
    newer: 'take_store',
    'newer of another line': 'take_copy newer_version',
    'same version, other content': 'take_copy newer_version',
  },
  'rest at 8, no head': {
    lost: 'take_copy missing',
    same: 'take_store',
    'one older': 'take_store',
    'older by two': 'take_copy older',
    newer: 'take_store',
    'newer of another line': 'take_copy newer_version',
    'same version, other content': 'take_store',
  },
  'rest of nothing': {
    lost: 'refuse',
    same: 'take_store',
    'one older': 'take_store',
    'older by two': 'take_store',
    newer: 'take_store',
    'newer of another line': 'take_store',
    'same version, other content': 'take_store',
  },
  unreadable: {
    lost: 'refuse',
    same: 'take_store',
    'one older': 'take_store',
    'older by two': 'take_store',
    newer: 'take_store',
    'newer of another line': 'take_store',
    'same version, other content': 'take_store',
  },
};

for (const [name, copy] of Object.entries(copies) as [keyof typeof copies, CopyFacts][]) {
  test(`I4: with a copy that is ${name}, what is in force follows the table`, () => {
    for (const [state, store] of Object.entries(stores) as [keyof Row, StoreFacts][]) {
      const verdict = judgeStart(copy, store);
      const shown = verdict.kind === 'take_copy' ? `take_copy ${verdict.trouble}` : verdict.kind;
      assert.equal(shown, TABLE[name][state], `store: ${state}`);
    }
  });
}

test('I4: a store that holds nothing is not taken for a configuration where the copy cannot be read', () => {
  const blank: StoreFacts = {
    kind: 'whole',
    version: 9,
    sum: '0'.repeat(16),
    sumAt: () => undefined,
  };
  assert.equal(judgeStart(copies.unreadable, blank).kind, 'refuse');
  assert.equal(judgeStart(copies['rest of nothing'], blank).kind, 'refuse');
  assert.equal(judgeStart(copies.absent, { ...blank, version: 0 }).kind, 'take_store');
});

test('whoever goes on with less than was in force is told so', () => {
  const bare = judgeStart(copies.unreadable, whole(7));
  assert.ok(bare.kind === 'take_store' && bare.told?.includes('not the version 9'), bare.kind);
  const both = judgeStart(copies['rest at 8, head known'], lost);
  assert.ok(both.kind === 'take_copy' && /damaged as well/.test(both.detail));
});
