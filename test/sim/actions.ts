/** What a history is made of. Actions carry no state, so that any part of a history can be left out and the rest run again. */
import type { Random } from '../../src/lib/random.ts';
import type { Operation } from '../../src/lib/fs/sim.ts';
import { Dice } from './dice.ts';

export type Action =
  | { readonly kind: 'append'; readonly requests: readonly Request[]; readonly watch: boolean }
  | { readonly kind: 'repeat'; readonly pick: number }
  | {
      readonly kind: 'open';
      readonly job: number;
      readonly stream: number;
      readonly oldest: boolean;
    }
  | { readonly kind: 'close'; readonly job: number }
  | { readonly kind: 'plan'; readonly job: number; readonly skip: number; readonly count: number }
  | { readonly kind: 'settle'; readonly job: number; readonly pick: number; readonly count: number }
  | { readonly kind: 'work'; readonly job: number; readonly count: number }
  | {
      readonly kind: 'read';
      readonly stream: number;
      readonly share: number;
      readonly bytes: number;
    }
  | { readonly kind: 'refuse'; readonly lines: number }
  | { readonly kind: 'tend'; readonly wait: boolean }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | {
      readonly kind: 'fault';
      readonly operation: Operation;
      readonly nth: number;
      readonly forever: boolean;
      readonly effect: FaultKind;
    }
  | { readonly kind: 'heal' }
  | { readonly kind: 'fill'; readonly spareBytes: number }
  | { readonly kind: 'free' }
  | { readonly kind: 'flip'; readonly file: number; readonly at: number; readonly bit: number }
  /** The process dies in its n-th call to the disk from now, and as often again while it recovers. */
  | { readonly kind: 'stop'; readonly calls: number; readonly deaths: readonly Death[] }
  | { readonly kind: 'crash'; readonly deaths: readonly Death[] }
  | { readonly kind: 'restart' };

/** `short`: some bytes only. `stall`: a long time passes first. */
export type FaultKind =
  | 'EIO'
  | 'ENOSPC'
  | 'ENOSPC-partial'
  | 'EMFILE'
  | 'EROFS'
  | 'short'
  | 'stall';

export interface Request {
  readonly stream: number;
  readonly lines: number;
  readonly pad: number;
  readonly identity: 'none' | 'key' | 'producer';
}

/** How one life ends; of those that end in recovery, after how many calls. */
export interface Death {
  readonly power: boolean;
  readonly calls: number;
}

export const STREAMS = ['zones/z1/http_requests', 'zones/z2/http_requests', 'accounts/a1/audit'];
const JOBS = 4;

/** Which kinds of trouble a history has. */
export interface Troubles {
  readonly faults: boolean;
  readonly flips: boolean;
  readonly space: boolean;
  readonly clock: boolean;
}

const FAULTY: readonly Operation[] = [
  ...(['write', 'write', 'sync', 'sync', 'syncDirectory', 'open', 'rename'] as const),
  ...(['unlink', 'truncate', 'close', 'list', 'read', 'stat', 'size', 'space'] as const),
];
const EFFECTS = ['EIO', 'EIO', 'ENOSPC', 'ENOSPC-partial', 'EMFILE', 'EROFS', 'short'] as const;
const HOUR_MS = 3_600_000;

/** A history of `count` actions, the same for the same randomness. */
export function drawActions(random: Random, count: number, troubles: Troubles): Action[] {
  const draw = new Draw(random);
  // Half of the histories keep up with what they append, the others pile it up.
  const eager = random.fraction() < 0.5;
  const makers: (readonly [weight: number, make: () => Action])[] = [
    [14, () => ({ kind: 'append', requests: draw.requests(), watch: draw.chance(0.2) })],
    [2, () => ({ kind: 'repeat', pick: draw.below(1e6) })],
    [
      3,
      () => ({
        kind: 'open',
        job: draw.below(JOBS),
        stream: draw.below(STREAMS.length),
        oldest: draw.chance(0.5),
      }),
    ],
    [1, () => ({ kind: 'close', job: draw.below(JOBS) })],
    [
      4,
      () => ({
        kind: 'plan',
        job: draw.below(JOBS),
        skip: draw.below(4),
        count: 1 + draw.below(40),
      }),
    ],
    [
      eager ? 6 : 3,
      () => ({
        kind: 'settle',
        job: draw.below(JOBS),
        pick: draw.below(4),
        count: 1 + draw.below(60),
      }),
    ],
    [eager ? 10 : 3, () => ({ kind: 'work', job: draw.below(JOBS), count: 1 + draw.below(200) })],
    [
      3,
      () => ({
        kind: 'read',
        stream: draw.below(STREAMS.length),
        share: random.fraction(),
        bytes: 1 + draw.below(5_000),
      }),
    ],
    [1, () => ({ kind: 'refuse', lines: 1 + draw.below(20) })],
    [6, () => ({ kind: 'tend', wait: draw.chance(0.5) })],
    [4, () => ({ kind: 'pass', ms: draw.of([10, 1_500, 2_000, 6_000, HOUR_MS / 3]) })],
    [2, () => ({ kind: 'stop', calls: draw.calls(), deaths: draw.deaths() })],
    [1, () => ({ kind: 'crash', deaths: draw.deaths() })],
    [1, () => ({ kind: 'restart' })],
  ];
  if (troubles.clock) {
    makers.push([1, () => ({ kind: 'jump', ms: draw.of([-72, -1, 1, 72]) * HOUR_MS })]);
  }
  if (troubles.faults) {
    makers.push(
      [
        3,
        () => ({
          kind: 'fault',
          operation: draw.of(FAULTY),
          nth: 1 + draw.below(8),
          forever: draw.chance(0.2),
          effect: draw.of(EFFECTS),
        }),
      ],
      [3, () => ({ kind: 'heal' })],
    );
  }
  if (troubles.space) {
    makers.push(
      [1, () => ({ kind: 'fill', spareBytes: draw.below(6_000) })],
      [2, () => ({ kind: 'free' })],
    );
  }
  if (troubles.flips) {
    makers.push([
      1,
      () => ({
        kind: 'flip',
        file: random.fraction(),
        at: random.fraction(),
        bit: draw.below(8),
      }),
    ]);
  }
  const total = makers.reduce((sum, [weight]) => sum + weight, 0);
  return Array.from({ length: count }, () => {
    let left = random.fraction() * total;
    const [, make] = makers.find(([weight]) => (left -= weight) < 0) ?? makers[0]!;
    return make();
  });
}

class Draw extends Dice {
  /** Mostly one request, sometimes several in one turn; small ones, and ones that take several blocks. */
  requests(): Request[] {
    return Array.from({ length: this.chance(0.6) ? 1 : 1 + this.below(5) }, () => ({
      stream: this.below(STREAMS.length),
      lines: this.chance(0.7) ? 1 + this.below(9) : 1 + this.below(45),
      pad: this.chance(0.8) ? this.below(60) : this.below(900),
      identity: this.of(['none', 'key', 'key', 'producer'] as const),
    }));
  }

  calls(): number {
    return this.chance(0.5) ? 1 + this.below(15) : 1 + this.below(80);
  }

  deaths(): Death[] {
    const deaths = [{ power: this.chance(0.7), calls: 0 }];
    while (this.chance(0.3) && deaths.length < 4) {
      deaths.push({ power: this.chance(0.6), calls: 1 + this.below(40) });
    }
    return deaths;
  }
}
