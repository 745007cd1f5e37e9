import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { TurnSlices } from '../../lib/turn-slices.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { StreamPlaces } from '../../peers/index.ts';
import { SnapshotCopy } from './snapshot-copy.ts';
import type { SnapshotDelta } from './snapshot-copy.ts';

/** The shard's side, as it is called. Both resolve when the snapshot is in force. */
export interface Subscriber {
  apply(snapshot: Snapshot, places: StreamPlaces): Promise<void>;
  /** `whole`: it does not fit what is held here; send the whole. */
  applyDelta(delta: SnapshotDelta, places: StreamPlaces): Promise<'applied' | 'whole'>;
}

/** Puts snapshots in force on one shard thread: the first whole, then what changed, and the whole again when in doubt. */
export class Publication {
  readonly #subscriber: Subscriber;
  readonly #diagnostics: Diagnostics;
  /** What the shard is known to hold: as it was sent whole, or kept in step since. */
  #held: Snapshot | SnapshotCopy | undefined;

  /** @param held what the shard was started with */
  constructor(subscriber: Subscriber, diagnostics: Diagnostics, held?: Snapshot) {
    this.#subscriber = subscriber;
    this.#diagnostics = diagnostics;
    this.#held = held;
  }

  /**
   * Resolves when it is in force; rejects when the shard did not take it. One at a time.
   *
   * @param places owners of streams that the shard has not been told of
   */
  async publish(snapshot: Snapshot, places: StreamPlaces): Promise<void> {
    // Nothing has changed since: as after most starts.
    if (this.#held?.version === snapshot.version && places.length === 0) return;
    const held = copyOf(this.#held);
    // Until the shard has said that it holds it, nothing is known of what it holds.
    this.#held = undefined;
    if (held) {
      const delta = held.advance(snapshot);
      if ((await this.#subscriber.applyDelta(delta, places)) === 'applied') {
        this.#held = held;
        return;
      }
      this.#diagnostics.warn('a shard holds another configuration; the whole is sent again', {
        version: snapshot.version,
      });
    }
    await this.#subscriber.apply(snapshot, places);
    this.#held = snapshot;
  }
}

/** Made when there is a change to send, and not before: a copy costs a hash for each object. */
function copyOf(held: Snapshot | SnapshotCopy | undefined): SnapshotCopy | undefined {
  return held && !(held instanceof SnapshotCopy) ? new SnapshotCopy(held) : held;
}

/** The shard's side of it: puts deltas together again, and checks that the whole is what was meant. */
export class Subscription {
  #copy: SnapshotCopy | undefined;
  readonly #newest: () => Snapshot;
  readonly #clock: Pick<Clock, 'monotonicMs'>;

  /** @param newest the snapshot in force, whole */
  constructor(newest: () => Snapshot, clock: Pick<Clock, 'monotonicMs'>) {
    this.#newest = newest;
    this.#clock = clock;
  }

  /** A whole snapshot came. */
  reset(): void {
    this.#copy = undefined;
  }

  /** The whole that a delta leads to; undefined when it does not fit. One at a time. */
  async next(delta: SnapshotDelta): Promise<Snapshot | undefined> {
    const slices = new TurnSlices(this.#clock);
    const copy = (this.#copy ??= await SnapshotCopy.inTurns(this.#newest(), slices));
    if (copy.apply(delta)) return copy.snapshot();
    this.#copy = undefined;
    return undefined;
  }
}
