/**
 * Orders that lines be erased. An order is in the store before anything is erased, so that it is carried out whatever happens
 * in between; then the data plane makes it durable beside the lines, and from then on nothing reads them; their bytes follow.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { limits } from '../../model/limits.ts';
import type { Scope } from '../../model/scope.ts';
import type { DataPlane } from '../data-plane.ts';
import type { Actor, Changed, Desk, Edited } from '../desk.ts';
import type { ErasureReach, ErasureSize } from '../lines-desk.ts';
import { refuse } from '../refusal.ts';
import type { ErasureRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Edit } from '../store/store.ts';

export interface ErasuresDeps {
  readonly desk: Desk;
  readonly dataPlane: Pick<DataPlane, 'lines'>;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
}

export interface ErasureWish {
  readonly id: string;
  readonly scope: Scope;
  readonly dataset: string | null;
  readonly beforeMs: number;
  readonly reason: string;
}

const SERVER: Actor = { who: 'server', address: null };
/** Streams that an order names; further ones are counted. */
const NAMED = 1_000;

export class Erasures {
  readonly #deps: ErasuresDeps;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(deps: ErasuresDeps) {
    this.#deps = deps;
  }

  /** What an order would take. Rejects when the data plane does not say. */
  size(wish: ErasureWish): Promise<ErasureSize> {
    const { dataPlane, desk } = this.#deps;
    return dataPlane.lines.erasable(reachOf(desk.state, wish));
  }

  /**
   * Takes an order. Once it is answered it is in the store; it is in force when its state says so, and is otherwise carried
   * out as soon as the data plane can.
   *
   * @param waitMs how long to wait for that
   */
  async order(actor: Actor, wish: ErasureWish, waitMs: number): Promise<Changed<ErasureRecord>> {
    const { clock, desk } = this.#deps;
    const ordered = await desk.change(actor, 'erasure.order', (state) =>
      orderOf(state, actor, wish, Math.floor(clock.wallMs())),
    );
    if (ordered.kind === 'refused') return ordered;
    const giveUp = new AbortController();
    await Promise.race([this.#carryOut(wish.id), clock.sleep(waitMs, giveUp.signal)]);
    giveUp.abort();
    return { kind: 'changed', value: desk.state.erasures.get(wish.id) ?? ordered.value };
  }

  /** Carries out what was ordered and is not in force yet, and looks whether bytes are gone. */
  async tend(): Promise<void> {
    const { dataPlane, desk } = this.#deps;
    for (const order of desk.state.erasures.values()) {
      if (order.state === 'ordered') await this.#carryOut(order.id);
      if (order.state !== 'ordered' && desk.state.accountOf(order.scope) === undefined) {
        await this.#forget(order);
        continue;
      }
      if (order.state !== 'in_force') continue;
      if (await dataPlane.lines.erasing(reachOf(desk.state, order))) continue;
      await this.#advance(order.id, 'erasure.done', (before) => ({
        ...before,
        state: 'done',
        doneMs: Math.floor(this.#deps.clock.wallMs()),
      }));
    }
  }

  #carryOut(id: string): Promise<void> {
    let running = this.#underWay.get(id);
    if (running === undefined) {
      running = this.#erase(id).finally(() => this.#underWay.delete(id));
      this.#underWay.set(id, running);
    }
    return running;
  }

  async #erase(id: string): Promise<void> {
    const { dataPlane, desk, diagnostics } = this.#deps;
    const order = desk.state.erasures.get(id);
    if (order?.state !== 'ordered') return;
    let size: ErasureSize;
    try {
      size = await dataPlane.lines.erase(reachOf(desk.state, order));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      diagnostics.warn('an erasure is not in force yet; it is tried again', { order: id, reason });
      return;
    }
    await this.#advance(id, 'erasure.in_force', (before) => ({
      ...before,
      state: 'in_force',
      streams: size.streams.slice(0, NAMED),
      lines: size.streams.reduce((sum, { lines }) => sum + lines, 0),
      keptLines: size.keptLines,
    }));
  }

  /** One of a scope that was deleted while the order waited. */
  async #forget(before: ErasureRecord): Promise<void> {
    const edits: Edit[] = [{ kind: 'erasure', id: before.id, before, after: null }];
    await this.#deps.desk.change(SERVER, 'erasure.forget', (state): Edited<null> =>
      state.erasures.has(before.id)
        ? { kind: 'draft', edits, value: null }
        : { kind: 'unchanged', value: null },
    );
  }

  async #advance(
    id: string,
    what: string,
    change: (before: ErasureRecord) => ErasureRecord,
  ): Promise<void> {
    await this.#deps.desk.change(SERVER, what, (state): Edited<null> => {
      const before = state.erasures.get(id);
      if (before === undefined) return { kind: 'unchanged', value: null };
      const edits: Edit[] = [{ kind: 'erasure', id, before, after: change(before) }];
      return { kind: 'draft', edits, value: null };
    });
  }
}

function orderOf(
  state: StateView,
  actor: Actor,
  { beforeMs, dataset, id, reason, scope }: ErasureWish,
  atMs: number,
): Edited<ErasureRecord> {
  const account = state.accountOf(scope);
  if (account === undefined) return refuse('scope_unknown');
  const others = [...state.erasures.values()].filter(
    (one) => state.accountOf(one.scope) === account,
  );
  const isDone = (one: ErasureRecord): boolean => one.state === 'done';
  if (others.filter((one) => !isDone(one)).length >= limits.control.endedPerAccount) {
    return refuse('limit_reached', 'As many erasures are under way as one account may have.');
  }
  const old = others
    .filter(isDone)
    .toSorted((a, b) => b.atMs - a.atMs)
    .slice(limits.control.endedPerAccount - 1);
  const after: ErasureRecord = {
    id,
    scope,
    dataset,
    beforeMs,
    atMs,
    by: actor.who,
    reason,
    state: 'ordered',
    streams: [],
    lines: 0,
    keptLines: 0,
    doneMs: null,
  };
  return {
    kind: 'draft',
    edits: [
      { kind: 'erasure', id, before: null, after },
      ...old.map((one): Edit => ({ kind: 'erasure', id: one.id, before: one, after: null })),
    ],
    value: after,
  };
}

/** Whose lines an order means: for an account those of its zones too, also of zones that are not there any more. */
function reachOf(
  state: StateView,
  { beforeMs, dataset, id, scope }: Pick<ErasureWish, 'beforeMs' | 'dataset' | 'id' | 'scope'>,
): ErasureReach {
  const isAccount = scope.kind === 'account';
  const zones = isAccount ? state.zonesOf(scope.id) : [];
  return {
    order: id,
    scopes: [scope, ...zones.map((zone): Scope => ({ kind: 'zone', id: zone.id }))],
    account: isAccount ? scope.id : null,
    standing: isAccount ? [...state.zones.keys()] : [],
    dataset,
    beforeMs,
  };
}
