/** What jobs do to the simulated shard, as delivery would: they are opened and closed, plan and settle. */
import assert from 'node:assert/strict';

import type { LedgerEvent, RecordResult } from '../../src/buffer/index.ts';
import { planOf, waybill } from '../../src/buffer/testing.ts';
import { NO_LINES } from '../../src/model/delivery.ts';
import type { OutcomeCounts, Plan, Range } from '../../src/model/delivery.ts';
import { ModelJob } from './model.ts';
import type { JobDoubt } from './model.ts';
import type { World } from './world.ts';

const HOUR_MS = 3_600_000;
/** What a record fails with when the buffer itself was quicker. */
const OVERTAKEN = /on its way|meanwhile|has moved on/;

export class Jobs {
  readonly #world: World;
  /** Waybills that were ordered here or are known to be the buffer's own. */
  readonly #mine = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  #doubt(job: number, apply: JobDoubt['apply']): JobDoubt {
    const doubt: JobDoubt = { kind: 'job', job, apply, refused: false };
    this.#world.model.doubts.push(doubt);
    return doubt;
  }

  /**
   * Waits for a record. Returns whether it is durable.
   *
   * @param isWritten whether anything is recorded at all
   */
  async #record(doubt: JobDoubt, work: Promise<RecordResult>, isWritten = true): Promise<boolean> {
    const life = this.#world.life;
    const result = await work;
    assert.equal(life, this.#world.life, 'a dead process answers nobody');
    if (result.kind === 'durable') {
      this.#world.model.success(doubt, isWritten);
      return true;
    }
    // The buffer may be ending lines of a closed job just then.
    const crossed = OVERTAKEN.test(result.detail);
    assert.ok(
      this.#world.troubled || crossed,
      `a record fails only for a reason: ${result.detail}`,
    );
    this.#world.seen.recordsFailed += 1;
    doubt.refused = true;
    return false;
  }

  async open(id: number, wanted: string, fromOldest: boolean): Promise<void> {
    const { buffer } = this.#world.shard;
    const known = this.#known(id);
    // A job stays with its stream for good, and begins anew where it is opened.
    const former = this.#world.model.former.get(id);
    const stream = known?.stream ?? former?.stream ?? wanted;
    const oldest = fromOldest && former === undefined && known === undefined;
    const before = buffer.stream(stream);
    const least = oldest ? (before?.oldest ?? 0) : (before?.head ?? 0);
    const doubt = this.#doubt(id, (job, found) => {
      if (job === undefined) {
        if (found.stream !== stream || found.start < least) return undefined;
        return this.#world.model.begin(id, stream, found.start);
      }
      // It was forgotten while this was on its way.
      if (found.start !== job.start) {
        return job.closed ? new ModelJob(stream, found.start, undefined, job.end()) : undefined;
      }
      job.closed = false;
      return job;
    });
    const isWritten = buffer.job(id)?.closedMs !== null;
    const work = buffer.openJob(id, stream, 'a1', oldest ? 'oldest' : 'head');
    if (!(await this.#record(doubt, work, isWritten))) return;
    const found = this.#world.shard.buffer.job(id);
    assert.ok(found !== undefined && found.closedMs === null, 'an opened job is open');
    if (known?.start === found.start) known.closed = false;
    else {
      this.#world.model.forget(id);
      assert.ok(
        found.start >= least && found.start <= this.#world.shard.buffer.stream(stream)!.head,
      );
      this.#world.model.jobs.set(id, this.#world.model.begin(id, stream, found.start));
    }
  }

  /** The job as the model has it, unless the buffer has forgotten it meanwhile. */
  #known(id: number): ModelJob | undefined {
    if (this.#world.shard.buffer.job(id) === undefined) this.#world.model.forget(id);
    return this.#world.model.jobs.get(id);
  }

  async close(id: number): Promise<void> {
    const known = this.#known(id);
    if (known === undefined) return;
    const doubt = this.#doubt(id, (job) => {
      if (job !== undefined) job.closed = true;
      return job;
    });
    const isWritten = this.#world.shard.buffer.job(id)?.closedMs === null;
    const work = this.#world.shard.buffer.closeJob(id);
    if (await this.#record(doubt, work, isWritten)) known.closed = true;
  }

  async plan(id: number, skip: number, count: number): Promise<Plan | undefined> {
    const model = this.#known(id);
    if (model === undefined || model.open.length >= this.#world.limits.buffer.openPlans)
      return undefined;
    const free = this.#world.model.free(model);
    const chosen = free[Math.min(skip, free.length - 1)];
    if (chosen === undefined || (model.settled.size > 0 && this.#crowded(model))) return undefined;
    const range = { from: chosen.from, to: Math.min(chosen.to, chosen.from + count) };
    const plan = planOf(this.#world.shard.buffer.job(id)!, range, this.#receivedMs(model, range));
    const doubt = this.#doubt(id, (job) => {
      job?.plan(plan);
      return job;
    });
    if (!(await this.#record(doubt, this.#world.shard.buffer.plan(id, [plan])))) return undefined;
    // The buffer may have ended a closed job's lines before we hear of the plan.
    if (model.settled.has(range.from)) return undefined;
    model.plan(plan);
    return plan;
  }

  /** So many holes that a further one would go over the bound of settled ranges. */
  #crowded(model: ModelJob): boolean {
    const { settled } = model;
    let ranges = 0;
    for (const at of settled) if (!settled.has(at - 1)) ranges += 1;
    return ranges + model.open.length >= this.#world.limits.buffer.settledRanges - 2;
  }

  #receivedMs(model: ModelJob, range: Range): number {
    return this.#world.model.stream(model.stream).hours[range.from]! * HOUR_MS;
  }

  async settle(id: number, pick: number, count: number): Promise<void> {
    const model = this.#known(id);
    if (model === undefined) return;
    const plan = model.open[pick];
    const free = this.#world.model.free(model)[0];
    const range =
      plan?.range ?? (free && { from: free.from, to: Math.min(free.to, free.from + count) });
    if (range === undefined) return;
    await this.#settleRange(id, model, range, plan);
  }

  async #settleRange(
    id: number,
    model: ModelJob,
    range: Range,
    plan: Plan | undefined,
  ): Promise<void> {
    const state = this.#world.shard.buffer.job(id)!;
    const counts = outcomeOf(range, plan !== undefined);
    const bill = waybill(state, range, this.#receivedMs(model, range), {
      plan: plan?.id ?? null,
      counts,
    });
    const doubt = this.#doubt(id, (job) => {
      job?.settle(bill);
      return job;
    });
    this.#mine.add(JSON.stringify(bill));
    if (await this.#record(doubt, this.#world.shard.buffer.settle(bill))) model.settle(bill);
  }

  /** What delivery does: plans the next lines, and settles them. */
  async work(id: number, count: number): Promise<void> {
    const model = this.#known(id);
    if (model === undefined) return;
    let left = count;
    while (left > 0) {
      const plan = model.open[0] ?? (await this.plan(id, 0, left));
      // A closed one may be forgotten meanwhile.
      if (plan === undefined || this.#known(id) !== model) return;
      const before = model.sequence;
      await this.#settleRange(id, model, plan.range, plan);
      if (model.sequence === before) return;
      left -= plan.range.to - plan.range.from;
    }
  }

  /** The buffer settles by itself only what its rules let it. */
  told(event: LedgerEvent): void {
    if (event.kind !== 'waybill') return;
    const { waybill: bill } = event;
    if (bill.job < 0) {
      const { ended } = this.#world.model.stream(bill.stream);
      for (let at = bill.range.from; at < bill.range.to; at += 1) ended.add(at);
      return;
    }
    const name = JSON.stringify(bill);
    if (this.#mine.has(name)) return;
    this.#mine.add(name);
    const model = this.#world.model.jobs.get(bill.job);
    assert.ok(model?.closed && bill.counts.dropped.unclaimed, 'only a closed job is settled for');
    model.settle(bill);
  }
}

/** Lines of a range by outcome: a few of each kind. */
function outcomeOf({ from, to }: Range, sent: boolean): OutcomeCounts {
  const lines = to - from;
  if (!sent) return { ...NO_LINES, excluded: { filter: lines } };
  const dropped = from % 7 === 0 ? 1 : 0;
  const excluded = lines > 3 && from % 3 === 0 ? 2 : 0;
  return {
    delivered: lines - dropped - excluded,
    excluded: excluded > 0 ? { sample: excluded } : {},
    dropped: dropped > 0 ? { malformed: dropped } : {},
  };
}
