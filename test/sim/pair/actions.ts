/** What a history of two shards is made of. Actions carry no state, so that any of them can be left out. */
import type { Random } from '../../../src/lib/random.ts';
import type { Operation } from '../../../src/lib/fs/sim.ts';
import { Dice } from '../dice.ts';

export interface Post {
  /** Whose listener takes it. */
  readonly shard: number;
  /** By field, over all of the zones; else all lines are of the first. */
  readonly by: boolean;
  readonly zones: readonly number[];
  readonly lines: number;
  readonly pad: number;
  /** Whether the padding is of the kind that nothing makes smaller. */
  readonly noise: boolean;
  /** Each so many-th line is bad; 0: none. */
  readonly bad: number;
  readonly quarantine: boolean;
  readonly identity: 'none' | 'key' | 'producer';
  readonly gzip: boolean;
  /** Pieces in which the body comes, and after how many its sender goes away. */
  readonly pieces: number;
  readonly goesAfter: number | undefined;
}

export type PairAction =
  | { readonly kind: 'post'; readonly posts: readonly Post[] }
  | {
      readonly kind: 'again';
      readonly pick: number;
      readonly shard: number;
      readonly pieces: number;
      readonly goesAfter: number | undefined;
    }
  /** One more stream is wanted. */
  | { readonly kind: 'want' }
  | { readonly kind: 'look'; readonly shard: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'turns'; readonly count: number }
  | { readonly kind: 'hang'; readonly shard: number }
  | { readonly kind: 'goOn'; readonly shard: number }
  /** A shard's thread ends; with `power` its disk keeps only what it must. */
  | { readonly kind: 'crash'; readonly shard: number; readonly power: boolean }
  /** It ends in its n-th call to the disk from now. */
  | {
      readonly kind: 'stop';
      readonly shard: number;
      readonly calls: number;
      readonly power: boolean;
    }
  | { readonly kind: 'drain'; readonly waitMs: number }
  /** The process ends, and with `power` the machine. */
  | { readonly kind: 'cut'; readonly power: boolean }
  | {
      readonly kind: 'fault';
      readonly shard: number;
      readonly operation: Operation;
      readonly nth: number;
      readonly forever: boolean;
      readonly code: 'EIO' | 'ENOSPC';
    }
  | { readonly kind: 'heal' }
  /** The thread that deflates for a shard ends, or comes (again). */
  | { readonly kind: 'deflater'; readonly shard: number; readonly comes: boolean }
  /** How destinations are from now on. */
  | { readonly kind: 'receiver'; readonly mood: Mood };

export type Mood = 'takes' | 'fails' | 'hangs';

export const SHARDS = 2;
/** Streams that there may be, and those that are wanted from the beginning. */
export const ZONES = 8;
export const WANTED_AT_FIRST = 3;

const FAULTY: readonly Operation[] = ['write', 'write', 'sync', 'syncDirectory', 'open', 'read'];

export interface PairTroubles {
  readonly faults: boolean;
  readonly large: boolean;
}

export function drawPairActions(
  random: Random,
  count: number,
  troubles: PairTroubles,
): PairAction[] {
  const draw = new Draw(random, troubles);
  const shard = () => draw.below(SHARDS);
  const makers: (readonly [weight: number, make: () => PairAction])[] = [
    [14, () => ({ kind: 'post', posts: draw.posts() })],
    [4, () => ({ kind: 'again', pick: draw.below(1e6), shard: shard(), ...draw.way() })],
    [2, () => ({ kind: 'want' })],
    [2, () => ({ kind: 'look', shard: shard() })],
    [4, () => ({ kind: 'pass', ms: draw.of([10, 700, 1_500, 6_000, 15_000, 70_000]) })],
    [4, () => ({ kind: 'turns', count: 1 + draw.below(20) })],
    [2, () => ({ kind: 'hang', shard: shard() })],
    [3, () => ({ kind: 'goOn', shard: shard() })],
    [1, () => ({ kind: 'crash', shard: shard(), power: draw.chance(0.6) })],
    [2, () => ({ kind: 'stop', shard: shard(), calls: draw.calls(), power: draw.chance(0.6) })],
    [0.4, () => ({ kind: 'drain', waitMs: draw.of([0, 2_000, 20_000]) })],
    [0.6, () => ({ kind: 'cut', power: draw.chance(0.6) })],
    [1.5, () => ({ kind: 'deflater', shard: shard(), comes: draw.chance(0.6) })],
    [1, () => ({ kind: 'receiver', mood: draw.of(['takes', 'takes', 'fails', 'hangs']) })],
  ];
  if (troubles.faults) {
    makers.push(
      [
        2,
        () => ({
          kind: 'fault',
          shard: shard(),
          operation: draw.of(FAULTY),
          nth: 1 + draw.below(6),
          forever: draw.chance(0.15),
          code: draw.of(['EIO', 'ENOSPC'] as const),
        }),
      ],
      [3, () => ({ kind: 'heal' })],
    );
  }
  const total = makers.reduce((sum, [weight]) => sum + weight, 0);
  return Array.from({ length: count }, () => {
    let left = random.fraction() * total;
    const [, make] = makers.find(([weight]) => (left -= weight) < 0) ?? makers[0]!;
    return make();
  });
}

class Draw extends Dice {
  readonly #large: boolean;

  constructor(random: Random, { large }: PairTroubles) {
    super(random);
    this.#large = large;
  }

  posts(): Post[] {
    return Array.from({ length: this.chance(0.5) ? 1 : 1 + this.below(6) }, () => this.#post());
  }

  #post(): Post {
    const isLarge = this.#large && this.chance(0.4);
    return {
      shard: this.below(SHARDS),
      by: this.chance(0.5),
      zones: Array.from({ length: 1 + this.below(ZONES) }, () => this.below(ZONES)),
      lines: 1 + this.below(this.chance(0.7) ? 8 : 90),
      pad: isLarge ? 500 + this.below(2_500) : this.below(80),
      noise: this.chance(0.3),
      bad: this.chance(0.15) ? 2 + this.below(5) : 0,
      quarantine: this.chance(0.7),
      identity: this.of(['none', 'key', 'key', 'producer'] as const),
      gzip: this.chance(this.#large ? 0.4 : 0.2),
      ...this.way(),
    };
  }

  /** How a body comes. */
  way(): { readonly pieces: number; readonly goesAfter: number | undefined } {
    return {
      pieces: 1 + this.below(4),
      goesAfter: this.chance(0.1) ? this.below(5) : undefined,
    };
  }

  calls(): number {
    return this.chance(0.6) ? 1 + this.below(12) : 1 + this.below(60);
  }
}
