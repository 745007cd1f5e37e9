/**
 * What deliver asks for: jobs opened and closed, plans, waybills. Each call is checked against the books before it is
 * recorded. What only a bug can bring is an assertion; what another record got in the way of is `failed`, and the caller
 * looks at the job again.
 */
import { assert } from '../../lib/assert.ts';
import { hourOf, settledLines } from '../../model/delivery.ts';
import type { Plan, Range, Waybill } from '../../model/delivery.ts';
import type { JobStart, RecordResult } from '../contract.ts';
import {
  encodeJob,
  encodePlan,
  encodeWaybill,
  waybillBytes,
  waybillHash,
} from '../format/records.codec.ts';
import type { JobRecord, PlanRecord } from '../format/records.codec.ts';
import { overlap } from '../state/job.ts';
import type { JobEntry } from '../state/job.ts';
import type { ShardState } from '../state/state.ts';
import type { StreamEntry } from '../state/stream.ts';
import type { Committer } from './committer.ts';
import type { Draft, Group, StagedStream } from './group.ts';

export interface JobLimits {
  readonly openPlans: number;
  readonly settledRanges: number;
  readonly streams: number;
}

const DURABLE: RecordResult = { kind: 'durable' };
const failed = (detail: string): RecordResult => ({ kind: 'failed', detail });

export class JobRecords {
  readonly #state: ShardState;
  readonly #committer: Committer;
  readonly #limits: JobLimits;
  /** Jobs being opened or closed: the next such call waits for the one before. */
  readonly #moving = new Map<number, Promise<RecordResult>>();
  /** Jobs that have a waybill on its way, and what it settles: the next one needs its hash. */
  readonly #settling = new Map<number, Range>();
  /** Plans on their way, by job. */
  readonly #planning = new Map<number, readonly Plan[]>();

  constructor(state: ShardState, committer: Committer, limits: JobLimits) {
    this.#state = state;
    this.#committer = committer;
    this.#limits = limits;
  }

  async open(id: number, key: string, account: string, start: JobStart): Promise<RecordResult> {
    return this.#move(id, () => {
      const known = this.#state.jobs.get(id);
      if (known !== undefined) {
        assert(known.stream.key === key, 'a job stays with its stream');
        if (known.closedMs === null) return Promise.resolve(DURABLE);
      } else if (
        !this.#state.streams.has(key) &&
        this.#state.streams.size >= this.#limits.streams
      ) {
        return Promise.resolve(failed(`there are ${this.#limits.streams} streams already`));
      }
      return this.#committer.record((group) => this.#stageOpen(group, id, key, account, start));
    });
  }

  #stageOpen(group: Group, job: number, key: string, account: string, start: JobStart): undefined {
    const stream = group.stream(key, account);
    const before = this.#state.chains.get(job);
    const at = this.#startOf(start, stream, before !== undefined);
    const end = typeof start === 'object' && 'end' in start ? start.end : undefined;
    assert(at >= 0 && at <= stream.head, 'a job starts within its stream');
    assert(end === undefined || (at <= end && end <= stream.head), 'a replay lies in its stream');
    const body: JobRecord = {
      event: 'opened',
      job,
      stream: stream.id,
      start: at,
      atMs: group.wallMs,
      sequence: before?.sequence ?? 0,
      chain: before?.chain ?? null,
      ...(end === undefined ? {} : { end }),
    };
    const draft = jobDraft(group, body);
    group.add(draft.record, draft.parts, jobDraft(group, { ...body, echo: true }));
    return undefined;
  }

  /** Where a job would begin, or go on, if it were opened now; opened later it does so no earlier. */
  beginsAt(id: number, stream: StreamEntry, start: JobStart): number {
    const known = this.#state.jobs.get(id);
    if (known?.closedMs === null) return known.cursor;
    const at = this.#startOf(start, stream, this.#state.chains.has(id));
    // A closed one may be forgotten until then.
    return Math.min(at, known?.cursor ?? at);
  }

  #startOf(start: JobStart, stream: Pick<StagedStream, 'key' | 'head'>, isFormer: boolean): number {
    if (start === 'head') return stream.head;
    const known = this.#state.streams.get(stream.key);
    const held = known === undefined ? 0 : Math.max(known.oldest, this.#state.erasedTo(known));
    if (start === 'oldest') return held;
    if ('firstOffset' in start) return isFormer ? stream.head : Math.max(start.firstOffset, held);
    return 'end' in start ? Math.max(start.offset, Math.min(held, start.end)) : start.offset;
  }

  /** Closes a job. One that is not known, or closed, is left as it is. */
  async close(id: number): Promise<RecordResult> {
    return this.#move(id, () => {
      const known = this.#state.jobs.get(id);
      if (known === undefined || known.closedMs !== null) return Promise.resolve(DURABLE);
      return this.#recordJob((atMs) => ({ event: 'closed', job: id, atMs }));
    });
  }

  /** Ends a job's books for good: nothing of its stream waits for it any more. */
  async forget(id: number): Promise<RecordResult> {
    return this.#move(id, () => {
      const known = this.#state.jobs.get(id);
      if (known === undefined || known.closedMs === null) return Promise.resolve(DURABLE);
      const { chain, cursor, sequence, stream } = known;
      return this.#recordJob((atMs) => {
        return { event: 'forgotten', job: id, stream: stream.id, atMs, cursor, sequence, chain };
      });
    });
  }

  #recordJob(body: (atMs: number) => JobRecord): Promise<RecordResult> {
    return this.#committer.record((group) => {
      const draft = jobDraft(group, body(group.wallMs));
      group.add(draft.record, draft.parts);
      return undefined;
    });
  }

  async #move(id: number, act: () => Promise<RecordResult>): Promise<RecordResult> {
    const before = this.#moving.get(id);
    const mine = before === undefined ? act() : before.then(act);
    this.#moving.set(id, mine);
    try {
      return await mine;
    } finally {
      if (this.#moving.get(id) === mine) this.#moving.delete(id);
    }
  }

  async plan(id: number, plans: readonly Plan[], replaces?: string): Promise<RecordResult> {
    const job = this.#known(id);
    const underWay = this.#planning.get(id) ?? [];
    // A sweep's waybill may be on its way for lines that nobody had planned when it began.
    const settling = this.#settling.get(id);
    const taken = (plan: Plan): boolean =>
      job.overlapsSettled(plan.range) ||
      (replaces === undefined && settling !== undefined && overlap(settling, plan.range));
    if (plans.some(taken)) return failed('settled meanwhile');
    if (replaces !== undefined && !job.open.some((plan) => plan.id === replaces)) {
      return failed('the plan that these replace is no longer open');
    }
    this.#checkPlans(job, plans, replaces, underWay);
    this.#planning.set(id, [...underWay, ...plans]);
    const body: PlanRecord =
      replaces === undefined ? { job: id, plans } : { job: id, plans, replaces };
    const result = await this.#committer.record((group) => {
      group.add({ kind: 'plan', serviceMs: group.serviceMs, body }, [
        encodePlan(group.serviceMs, body),
      ]);
      return undefined;
    });
    const left = (this.#planning.get(id) ?? []).filter((plan) => !plans.includes(plan));
    if (left.length === 0) this.#planning.delete(id);
    else this.#planning.set(id, left);
    return result;
  }

  #checkPlans(
    job: JobEntry,
    plans: readonly Plan[],
    replaces: string | undefined,
    underWay: readonly Plan[],
  ): void {
    const parent = job.open.find((plan) => plan.id === replaces);
    const open = job.open.length + underWay.length;
    const most = parent === undefined ? this.#limits.openPlans : Infinity;
    assert(plans.length > 0 && open + plans.length <= most, 'open plans of a job are bounded');
    plans.forEach((plan, index) => {
      const { range } = plan;
      assert(
        plan.job === job.id && plan.epoch === job.stream.epoch,
        'a plan is of its job and epoch',
      );
      this.#checkRange(job, range);
      checkHour(job.stream, range, hourOf(plan.receivedMs.first));
      assert(
        hourOf(plan.receivedMs.last) === hourOf(plan.receivedMs.first),
        'a plan lies within one hour',
      );
      assert(!job.overlapsOpen(range, replaces), 'plans do not overlap');
      assert(
        [...underWay, ...plans.slice(0, index)].every((other) => !overlap(other.range, range)),
        'plans do not overlap',
      );
      if (parent !== undefined) {
        assert(
          range.from >= parent.range.from && range.to <= parent.range.to,
          'halves lie in their plan',
        );
      }
    });
  }

  #checkRange(job: JobEntry, range: Range): void {
    assert(Number.isSafeInteger(range.from) && Number.isSafeInteger(range.to), 'offsets are whole');
    assert(range.from < range.to, 'a range has lines');
    assert(range.from >= job.start && range.to <= job.head, 'a range lies between start and head');
  }

  async settle(waybill: Waybill): Promise<RecordResult> {
    const job = this.#known(waybill.job);
    if (this.#settling.has(job.id)) return failed('another waybill of the job is on its way');
    if (waybill.sequence <= job.sequence) return failed('the chain has moved on');
    if (job.overlapsSettled(waybill.range)) return failed('settled meanwhile');
    this.#checkWaybill(job, waybill);
    this.#settling.set(job.id, waybill.range);
    const result = await this.#committer.record((group) => {
      const hash = waybillHash(waybillBytes(waybill));
      const record = { kind: 'waybill', serviceMs: group.serviceMs, body: waybill, hash } as const;
      group.add(record, [encodeWaybill(group.serviceMs, waybill)]);
      return undefined;
    });
    this.#settling.delete(job.id);
    return result;
  }

  #checkWaybill(job: JobEntry, waybill: Waybill): void {
    const { range } = waybill;
    assert(
      waybill.stream === job.stream.key && waybill.epoch === job.stream.epoch,
      'a waybill is of its stream',
    );
    assert(waybill.sequence === job.sequence + 1, 'waybills are numbered without gaps');
    assert(waybill.previous === job.chain, 'a waybill continues the chain');
    this.#checkRange(job, range);
    checkCounts(waybill);
    const plan = job.open.find((open) => open.id === waybill.plan);
    if (waybill.plan === null) {
      assert(!job.overlapsOpen(range), 'a range that a plan holds is settled by its plan');
    } else {
      assert(
        plan !== undefined && plan.range.from === range.from && plan.range.to === range.to,
        'a waybill settles an open plan whole',
      );
    }
    checkHour(job.stream, range, waybill.hour);
    const room = job.settled.length < this.#limits.settledRanges || range.from <= job.cursor;
    assert(room, 'settled ranges beyond the cursor are bounded');
  }

  /** Whether a waybill of the job is on its way: the buffer's own sweeps leave such a job alone. */
  isSettling(id: number): boolean {
    return this.#settling.has(id);
  }

  /** Whether the job, or any one, is being opened or closed. */
  isMoving(id?: number): boolean {
    return id === undefined ? this.#moving.size > 0 : this.#moving.has(id);
  }

  /** Whether plans of the job are on their way. */
  isPlanning(id: number): boolean {
    return this.#planning.has(id);
  }

  #known(id: number): JobEntry {
    const job = this.#state.jobs.get(id);
    assert(job !== undefined, `job ${id} is open`);
    return job;
  }
}

/** I2: each line of the range stands under exactly one outcome. */
function checkCounts({ counts, range }: Waybill): void {
  const all = [
    counts.delivered,
    ...Object.values(counts.excluded),
    ...Object.values(counts.dropped),
  ];
  assert(
    all.every((count) => Number.isSafeInteger(count) && count >= 0),
    'outcomes are counted in whole lines',
  );
  assert(
    settledLines(counts) === range.to - range.from,
    'a waybill accounts for exactly its lines (I2)',
  );
}

function checkHour(stream: StreamEntry, range: Range, hour: number): void {
  const from = stream.hourAt(range.from);
  assert(
    hourOf(from.receivedMs) === hour && range.to <= from.to,
    'a range lies within its one UTC hour',
  );
}

function jobDraft(group: Group, body: JobRecord): Draft {
  const { serviceMs } = group;
  return { record: { kind: 'job', serviceMs, body }, parts: [encodeJob(serviceMs, body)] };
}
