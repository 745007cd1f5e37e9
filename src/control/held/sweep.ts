/**
 * Looks now and then whether what is held for a time is over: deleted jobs whose holdback has ended, replays that have
 * delivered their last line, erasures whose bytes are gone. What the data plane does not answer to stays as it is.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { DataPlane } from '../data-plane.ts';
import type { Desk } from '../desk.ts';
import { ended, forgetDeleted } from '../jobs/deleted.ts';
import type { Edit } from '../store/store.ts';
import type { Erasures } from './erasures.ts';

export interface SweepDeps {
  readonly desk: Desk;
  readonly dataPlane: Pick<DataPlane, 'lines' | 'jobLedger'>;
  readonly erasures: Erasures;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly bounds: { readonly heldSweepMs: number; readonly holdbackMs: number };
}

const SERVER = { who: 'server', address: null };

export class HeldSweep {
  readonly #deps: SweepDeps;
  #running: Promise<void> | undefined;
  #stop: (() => void) | undefined;

  constructor(deps: SweepDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { bounds, clock } = this.#deps;
    this.#stop ??= clock.every(bounds.heldSweepMs, () => void this.run());
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#stop?.();
    await this.#running;
  }

  /** Looks once; a call while one is under way joins it. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const parts = [
      () => this.#deleted(),
      () => this.#replays(),
      () => this.#cancelled(),
      () => this.#deps.erasures.tend(),
    ];
    for (const part of parts) {
      try {
        await part();
      } catch (error) {
        // The shard is down or does not answer: looked at again.
        const reason = error instanceof Error ? error.message : String(error);
        this.#deps.diagnostics.debug('what is held could not be looked at', { reason });
      }
    }
  }

  async #deleted(): Promise<void> {
    const { bounds, clock, dataPlane, desk } = this.#deps;
    const before = clock.wallMs() - bounds.holdbackMs;
    const old = (): number[] =>
      [...desk.state.deletedJobs.values()]
        .filter(({ deletedMs }) => deletedMs <= before)
        .map(({ id }) => id);
    const ids = old();
    if (ids.length === 0) return;
    const held = new Set((await dataPlane.lines.holds(ids)).map(({ job }) => job));
    const gone = new Set(ids.filter((id) => !held.has(id)));
    if (gone.size === 0) return;
    await desk.change(SERVER, 'job.forget', (state) =>
      forgetDeleted([...state.deletedJobs.values()].filter(({ id }) => gone.has(id))),
    );
  }

  async #replays(): Promise<void> {
    const { clock, dataPlane, desk } = this.#deps;
    const running = [...desk.state.replays.values()].filter(({ state }) => state === 'running');
    if (running.length === 0) return;
    const holds = await dataPlane.lines.holds(running.map(({ id }) => id));
    const over = new Map(
      holds.flatMap((hold) => {
        const replay = running.find(({ id }) => id === hold.job);
        return replay && hold.cursor >= replay.to ? [[replay.id, hold.totals] as const] : [];
      }),
    );
    if (over.size === 0) return;
    await desk.change(SERVER, 'replay.done', (state) => {
      const edits: Edit[] = [];
      const dropSecrets: string[] = [];
      for (const [id, totals] of over) {
        const replay = state.replays.get(id);
        if (replay?.state !== 'running') continue;
        edits.push(ended(replay, 'done', Math.floor(clock.wallMs()), totals));
        if (replay.secret) dropSecrets.push(replay.secret.id);
      }
      if (edits.length === 0) return { kind: 'unchanged', value: null };
      return { kind: 'draft', edits, dropSecrets, value: null };
    });
  }

  /** What a cancelled replay came to, once the rest of its lines is settled: the books know it when no shard does. */
  async #cancelled(): Promise<void> {
    const { dataPlane, desk } = this.#deps;
    const open = [...desk.state.replays.values()].filter(
      ({ result, state }) => state === 'cancelled' && result === null,
    );
    for (const { id } of open) {
      const total = (await dataPlane.jobLedger(id, 1))?.total;
      if (total && total.waiting > 0) continue;
      const result = {
        delivered: total?.delivered ?? 0,
        excluded: { ...total?.excluded },
        dropped: { ...total?.dropped },
      };
      await desk.change(SERVER, 'replay.cancelled', (state) => {
        const before = state.replays.get(id);
        if (before === undefined) return { kind: 'unchanged', value: null };
        const edits: Edit[] = [
          { kind: 'replay', id: String(id), before, after: { ...before, result } },
        ];
        return { kind: 'draft', edits, value: null };
      });
    }
  }
}
