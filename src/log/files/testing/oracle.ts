/**
 * What tests of crashes and faults share: random work on a log, and an oracle outside of it that knows what was offered and
 * what was answered, over all lives of the process.
 */
import assert from 'node:assert/strict';

import fc from 'fast-check';

import { all, textOf } from '../../conformance.ts';
import type { Position, ShardLog } from '../../contract.ts';

/** A group that was offered: its records' texts, unique over the whole test. */
export interface Offer {
  readonly texts: readonly string[];
  /** Set once it was answered. */
  answer?: 'durable' | 'refused';
  positions?: readonly Position[];
}

/** What the outside knows over all lives of a log. */
export class Oracle {
  readonly offers: Offer[] = [];
  /** Everything before it was given up by a trim that was asked for. */
  trimmedBefore = 0;

  offer(sizes: readonly number[]): Offer {
    const texts = sizes.map((size, index) => `${this.offers.length}.${index}:`.padEnd(size, '#'));
    const offer: Offer = { texts };
    this.offers.push(offer);
    return offer;
  }

  /**
   * Compares with what a log holds.
   *
   * @param earlierLives so many offers are of earlier lives: refused then, they may be there after a crash; later ones may not
   */
  async check(log: ShardLog, earlierLives = this.offers.length): Promise<void> {
    const read = await all(log, 1500);
    const standing = new Map(read.map((record) => [textOf(record), record.position]));
    assert.equal(standing.size, read.length, 'no record stands twice');
    let before = -1;
    for (const [index, { texts, answer, positions }] of this.offers.entries()) {
      const found = texts.map((text) => standing.get(text));
      const present = found.filter((position) => position !== undefined);
      const trimmed = positions !== undefined && positions.at(-1)! < log.start();
      if (trimmed) assert.ok(positions.at(-1)! < this.trimmedBefore, 'only what was given up went');
      else if (answer === 'durable') {
        if (positions![0]! >= log.start()) assert.deepEqual(found, positions, `group ${index}`);
      } else {
        assert.ok([0, texts.length].includes(present.length), `group ${index} whole or absent`);
        const refusedNow = answer === 'refused' && index >= earlierLives;
        if (refusedNow) assert.equal(present.length, 0, `group ${index} was refused`);
      }
      for (const position of present) {
        assert.ok(position > before, `group ${index} in its order`);
        before = position;
      }
      for (const text of texts) standing.delete(text);
      // What is there now has been seen: from now on it must stay.
      if (present.length === texts.length) this.settle(index, present);
      else if (answer === undefined) this.offers[index]!.answer = 'refused';
    }
    assert.deepEqual([...standing.keys()], [], 'nothing that was never offered');
  }

  settle(index: number, positions: readonly Position[]): void {
    this.offers[index]!.answer = 'durable';
    this.offers[index]!.positions = positions;
  }
}

export type Action =
  | { readonly kind: 'append'; readonly groups: readonly (readonly number[])[] }
  | { readonly kind: 'roll'; readonly sizes: readonly number[] }
  | { readonly kind: 'trim'; readonly share: number }
  | { readonly kind: 'read' }
  | { readonly kind: 'reopen' };

const sizes = fc.array(
  fc.oneof(fc.integer({ min: 8, max: 60 }), fc.integer({ min: 8, max: 2048 })),
  {
    minLength: 1,
    maxLength: 4,
  },
);

export const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      groups: fc.array(sizes, { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('roll' as const), sizes }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('trim' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'read' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);

/** Offers a group and notes the answer. */
export async function append(log: ShardLog, offer: Offer, roll = false): Promise<void> {
  const group = offer.texts.map((text) => [Buffer.from(text)]);
  const outcome = await log.append(group, { roll });
  if (outcome.kind === 'durable') {
    offer.answer = 'durable';
    offer.positions = outcome.positions;
  } else {
    offer.answer = 'refused';
  }
}

/** Does one piece of work. Reopening is the caller's. */
export async function act(log: ShardLog, oracle: Oracle, todo: Action): Promise<void> {
  switch (todo.kind) {
    case 'append':
      await Promise.all(todo.groups.map((group) => append(log, oracle.offer(group))));
      return;
    case 'roll':
      await append(log, oracle.offer(todo.sizes), true);
      return;
    case 'trim': {
      const to = Math.floor(log.start() + (log.durableEnd() - log.start()) * todo.share);
      oracle.trimmedBefore = Math.max(oracle.trimmedBefore, to);
      await log.trimBefore(to as Position);
      return;
    }
    case 'read':
      await all(log, 3000);
      return;
    case 'reopen':
  }
}
