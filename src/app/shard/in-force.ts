/** The configuration that a shard has in force, and which streams of it are the shard's own. */
import type { Delivery } from '../../deliver/index.ts';
import type { Clock } from '../../lib/clock.ts';
import { TurnSlices } from '../../lib/turn-slices.ts';
import type { StreamKey } from '../../model/scope.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { Owners } from '../../peers/index.ts';
import type { StreamPlaces } from '../../peers/index.ts';
import { routeTable, routeTableInTurns } from '../../route/index.ts';
import type { RouteTable } from '../../route/index.ts';
import type { ShardStart } from '../link/link.ts';
import { Subscription } from '../link/publication.ts';
import type { Subscriber } from '../link/publication.ts';

export interface InForceDeps {
  readonly start: Pick<ShardStart, 'shard' | 'shards' | 'snapshot'>;
  /** Undefined until the shard has opened what it keeps on disk. */
  readonly delivery: () => Pick<Delivery, 'apply'> | undefined;
  /** Told of a newer snapshot before its jobs are. */
  readonly came: (snapshot: Snapshot) => void;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

export class InForce implements Subscriber {
  readonly owners: Owners;
  readonly #deps: InForceDeps;
  readonly #subscription: Subscription;
  #snapshot: Snapshot;
  #route: RouteTable;
  #applying: Promise<unknown> = Promise.resolve();

  constructor(deps: InForceDeps) {
    const { start, clock } = deps;
    this.#deps = deps;
    this.owners = new Owners(start.shard, start.shards);
    this.#snapshot = start.snapshot;
    this.#route = routeTable(start.snapshot);
    this.#subscription = new Subscription(() => this.#snapshot, clock);
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  get route(): RouteTable {
    return this.#route;
  }

  wants(stream: string): boolean {
    return this.#route.wanted(stream as StreamKey);
  }

  apply(newer: Snapshot, places: StreamPlaces): Promise<void> {
    return this.#inTurn(() => {
      this.owners.learn(places);
      this.#subscription.reset();
      return this.#take(newer);
    });
  }

  applyDelta(
    delta: Parameters<Subscriber['applyDelta']>[0],
    places: StreamPlaces,
  ): ReturnType<Subscriber['applyDelta']> {
    return this.#inTurn(async () => {
      this.owners.learn(places);
      const next = await this.#subscription.next(delta);
      if (!next) return 'whole';
      await this.#take(next);
      return 'applied';
    });
  }

  /**
   * Puts the newest configuration in force that is known when there is a delivery. What comes meanwhile waits for it: of two
   * that were put in force side by side the older one could be the last.
   */
  begin(): Promise<void> {
    return this.#inTurn(() => this.#take(this.#snapshot));
  }

  /** Resolves when the configurations that have come so far are in force, or were refused. */
  settled(): Promise<unknown> {
    return this.#applying.catch(() => {});
  }

  /** One configuration after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.settled().then(work);
    this.#applying = turn;
    return turn;
  }

  async #take(next: Snapshot): Promise<void> {
    if (next.version < this.#snapshot.version) return;
    const { came, clock, delivery, start } = this.#deps;
    this.#snapshot = next;
    came(next);
    // Jobs first: a line is wanted only when there is a cursor that keeps it.
    const jobs = [...next.jobs, ...(next.replays ?? [])];
    const isAlone = start.shards === 1;
    const own = isAlone ? jobs : jobs.filter(({ stream }) => this.owners.isOwn(stream));
    await delivery()?.apply(own, next.version);
    this.#route = await routeTableInTurns(next, new TurnSlices(clock));
  }
}
