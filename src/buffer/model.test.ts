/**
 * A small model of streams and jobs beside the real thing: lines appended, planned and settled in any order, checkpoints,
 * trimming, failing disks, power cuts. What was answered holds, whatever came between.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { hourOf, settledLines } from '../model/delivery.ts';
import type { Plan, Range } from '../model/delivery.ts';
import type { LedgerEvent, LedgerSink, ShardBuffer } from './contract.ts';
import {
  HOUR_MS,
  key,
  linesOf,
  planOf,
  readAll,
  smallLimits,
  TestShard,
  waybill,
  withDeflated,
} from './testing.ts';
import { runs } from '../lib/testing/depth.ts';

/** How many histories are tried; the long runs raise it. */
const RUNS = Number(process.env['WAYBILL_RUNS'] ?? runs(30, 20));
const STREAMS = ['zones/z1/http_requests', 'zones/z2/http_requests', 'accounts/a1/audit_logs'];

interface ModelStream {
  readonly lines: string[];
  readonly hours: number[];
  /** What the last append, which was refused, may have left behind. */
  maybe: { readonly lines: string[]; readonly hour: number } | undefined;
}

interface ModelJob {
  readonly stream: string;
  readonly start: number;
  readonly settled: Set<number>;
  open: Plan[];
  sequence: number;
  closed: boolean;
}

/** A ledger on disk: what was not synced is lost with the power, what comes again is skipped. */
class DurableLedger implements LedgerSink {
  #synced: LedgerEvent[] = [];
  #held: LedgerEvent[] = [];
  #life = 0;

  record(event: LedgerEvent): void {
    if (!this.all().some((known) => sameEvent(known, event))) this.#held.push(event);
  }

  async sync(): Promise<void> {
    this.#synced.push(...this.#held);
    this.#held = [];
  }

  crash(): void {
    this.#held = [];
    this.#life += 1;
  }

  /** The ledger as one process has it: what is left of that one after a crash reaches nothing any more. */
  sink(): LedgerSink {
    const life = this.#life;
    return {
      record: (event) => {
        if (life === this.#life) this.record(event);
      },
      sync: () => (life === this.#life ? this.sync() : new Promise(() => {})),
    };
  }

  all(): LedgerEvent[] {
    return [...this.#synced, ...this.#held];
  }
}

function sameEvent(a: LedgerEvent, b: LedgerEvent): boolean {
  if (a.kind === 'accepted' && b.kind === 'accepted') {
    return a.stream === b.stream && a.epoch === b.epoch && b.range.from < a.range.to;
  }
  if (a.kind === 'waybill' && b.kind === 'waybill') {
    return a.waybill.job === b.waybill.job && b.waybill.sequence <= a.waybill.sequence;
  }
  return false;
}

type Action =
  | {
      readonly kind: 'append';
      readonly stream: number;
      readonly count: number;
      readonly pad: number;
      readonly keyed: boolean;
      readonly deflated: boolean;
    }
  | { readonly kind: 'repeat'; readonly pick: number }
  | {
      readonly kind: 'open';
      readonly job: number;
      readonly stream: number;
      readonly start: 'head' | 'oldest';
    }
  | { readonly kind: 'close'; readonly job: number }
  | { readonly kind: 'plan'; readonly job: number; readonly skip: number; readonly count: number }
  | { readonly kind: 'settle'; readonly job: number; readonly pick: number; readonly count: number }
  | { readonly kind: 'tend' }
  | { readonly kind: 'pass'; readonly ms: number }
  | {
      readonly kind: 'fail';
      readonly operation: 'sync' | 'write' | 'rename';
      readonly nth: number;
      readonly code: string;
    }
  | { readonly kind: 'resize'; readonly bytes: number }
  | { readonly kind: 'heal' }
  | { readonly kind: 'crash' }
  | { readonly kind: 'restart' };

const small = fc.nat({ max: 3 });
const job = fc.integer({ min: 1, max: 3 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('append'),
      stream: fc.nat({ max: 2 }),
      count: fc.integer({ min: 1, max: 35 }),
      pad: fc.nat({ max: 120 }),
      keyed: fc.boolean(),
      deflated: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat'), pick: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('open'),
      job,
      stream: fc.nat({ max: 2 }),
      start: fc.constantFrom('head', 'oldest'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close'), job }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('plan'),
      job,
      skip: small,
      count: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('settle'),
      job,
      pick: small,
      count: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('tend') }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass'),
      ms: fc.constantFrom(10, 2_000, HOUR_MS / 2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fail'),
      operation: fc.constantFrom('sync', 'write', 'rename'),
      nth: fc.integer({ min: 1, max: 3 }),
      code: fc.constantFrom('EIO', 'ENOSPC'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('resize'),
      bytes: fc.constantFrom(1 << 15, 1 << 17, 1 << 30),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heal') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('crash') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart') }) },
) as fc.Arbitrary<Action>;

/** The model, the real thing, and what ties them. */
class World {
  readonly shard = new TestShard(
    smallLimits({ holdbackMs: 1_000, spanBlocks: 12, checkpointBytes: 500 }, { segmentBytes: 500 }),
    'disk',
  );
  readonly ledger = new DurableLedger();
  readonly streams = new Map<string, ModelStream>();
  readonly jobs = new Map<number, ModelJob>();
  readonly keyed: {
    readonly name: string;
    readonly stream: string;
    readonly lines: string[];
    readonly range: Range;
  }[] = [];
  buffer!: ShardBuffer;
  #number = 0;
  #tending: Promise<void> = Promise.resolve();
  /** Records that failed may stand after a crash all the same: then the model follows what it finds. */
  #doubtful = new Set<number>();

  async start(): Promise<void> {
    this.shard.deps = { ledger: this.ledger.sink() };
    this.buffer = await this.shard.open();
  }

  #stream(name: string): ModelStream {
    let stream = this.streams.get(name);
    if (stream === undefined)
      this.streams.set(name, (stream = { lines: [], hours: [], maybe: undefined }));
    return stream;
  }

  async run(action: Action): Promise<void> {
    switch (action.kind) {
      case 'append':
        return this.append(action);
      case 'repeat':
        return this.repeat(action.pick);
      case 'open':
        return this.open(action.job, STREAMS[action.stream]!, action.start);
      case 'close':
        if ((await this.buffer.closeJob(action.job)).kind === 'durable') {
          const known = this.jobs.get(action.job);
          if (known !== undefined) known.closed = true;
        } else this.#doubtful.add(action.job);
        return undefined;
      case 'plan':
        return this.plan(action.job, action.skip, action.count);
      case 'settle':
        return this.settle(action.job, action.pick, action.count);
      case 'tend':
        // Not waited for: what follows goes on beside a checkpoint being written.
        this.#tending = this.buffer.tend();
        return undefined;
      case 'pass':
        this.shard.clock.pass(action.ms);
        return undefined;
      case 'fail':
        this.shard.disk.plan({
          operation: action.operation,
          nth: action.nth,
          effect: { kind: 'fail', code: action.code },
        });
        return undefined;
      case 'resize':
        // Space runs short: holdback gives way, and what a slow job pins is copied forward.
        this.shard.disk.resize(action.bytes);
        return undefined;
      case 'heal':
        this.shard.disk.heal();
        return undefined;
      case 'crash':
        return this.reopen('crash');
      case 'restart':
        return this.reopen('restart');
    }
  }

  async append(action: Extract<Action, { kind: 'append' }>): Promise<void> {
    const name = STREAMS[action.stream]!;
    const lines = Array.from(
      { length: action.count },
      () => `{"n":${this.#number++}${' '.repeat(action.pad)}}`,
    );
    const keyName = `key${this.#number}`;
    const model = this.#stream(name);
    const hour = hourOf(this.shard.clock.wall);
    const plain = {
      stream: name,
      account: 'a1',
      lines: linesOf(lines),
      ...(action.keyed ? { identity: key(keyName) } : {}),
    };
    const result = await this.buffer.append(action.deflated ? withDeflated(plain) : plain);
    if (result.kind !== 'stored') {
      assert.equal(result.kind, 'refused');
      model.maybe = { lines, hour };
      return;
    }
    const range = { from: model.lines.length, to: model.lines.length + lines.length };
    assert.deepEqual([result.range, result.repeat], [range, false]);
    model.maybe = undefined;
    for (const other of this.streams.values()) other.maybe = undefined;
    model.lines.push(...lines);
    for (const _ of lines) model.hours.push(hour);
    if (action.keyed) this.keyed.push({ name: keyName, stream: name, lines, range });
  }

  async repeat(pick: number): Promise<void> {
    const known = this.keyed[pick % Math.max(1, this.keyed.length)];
    if (known === undefined) return;
    // A key is forgotten with time, in service.
    if (this.shard.clock.monotonic > HOUR_MS / 2) return;
    const again = { stream: known.stream, account: 'a1', identity: key(known.name) };
    const result = await this.buffer.append({ ...again, lines: linesOf(known.lines) });
    assert.ok(result.kind === 'stored', result.kind);
    assert.deepEqual([result.range, result.repeat], [known.range, true]);
    const other = await this.buffer.append({ ...again, lines: linesOf([...known.lines, '{}']) });
    assert.equal(other.kind, 'key_conflict');
  }

  async open(id: number, stream: string, start: 'head' | 'oldest'): Promise<void> {
    const known = this.jobs.get(id);
    const name = known?.stream ?? stream;
    const state = this.buffer.stream(name);
    const result = await this.buffer.openJob(id, name, 'a1', start);
    if (result.kind === 'failed') {
      this.#doubtful.add(id);
      return;
    }
    if (known?.closed === true) this.#follow(id);
    else if (known === undefined) {
      const at = this.buffer.job(id)!.start;
      if (start === 'head') assert.equal(at, state?.head ?? 0);
      else assert.ok(at >= (state?.oldest ?? 0));
      this.jobs.set(id, {
        stream: name,
        start: at,
        settled: new Set(),
        open: [],
        sequence: this.buffer.job(id)!.sequence,
        closed: false,
      });
      this.#stream(name);
    }
  }

  /** The free stretches of a job: neither settled nor planned, each within one hour. */
  free(model: ModelJob): Range[] {
    const stream = this.#stream(model.stream);
    const ranges: Range[] = [];
    for (let at = model.start; at < stream.lines.length; at += 1) {
      if (
        model.settled.has(at) ||
        model.open.some((plan) => plan.range.from <= at && at < plan.range.to)
      )
        continue;
      const last = ranges.at(-1);
      if (last?.to === at && stream.hours[at] === stream.hours[at - 1])
        ranges[ranges.length - 1] = { from: last.from, to: at + 1 };
      else ranges.push({ from: at, to: at + 1 });
    }
    return ranges;
  }

  async plan(id: number, skip: number, count: number): Promise<void> {
    const model = this.jobs.get(id);
    if (model === undefined || model.closed || model.open.length >= 4) return;
    const free = this.free(model);
    const chosen = free[Math.min(skip, free.length - 1)];
    if (chosen === undefined) return;
    const range = { from: chosen.from, to: Math.min(chosen.to, chosen.from + count) };
    const plan = planOf(
      this.buffer.job(id)!,
      range,
      this.#stream(model.stream).hours[range.from]! * HOUR_MS,
    );
    const result = await this.buffer.plan(id, [plan]);
    if (result.kind === 'durable')
      model.open = [...model.open, plan].toSorted((a, b) => a.range.from - b.range.from);
    else this.#doubtful.add(id);
  }

  async settle(id: number, pick: number, count: number): Promise<void> {
    const model = this.jobs.get(id);
    if (model === undefined || model.closed) return;
    const plan = model.open[pick];
    const free = this.free(model)[0];
    const range =
      plan?.range ?? (free && { from: free.from, to: Math.min(free.to, free.from + count) });
    if (range === undefined) return;
    const at = this.#stream(model.stream).hours[range.from]! * HOUR_MS;
    const bill = waybill(this.buffer.job(id)!, range, at, { plan: plan?.id ?? null });
    const result = await this.buffer.settle(bill);
    if (result.kind === 'failed') {
      this.#doubtful.add(id);
      return;
    }
    model.sequence += 1;
    for (let offset = range.from; offset < range.to; offset += 1) model.settled.add(offset);
    model.open = model.open.filter((one) => one !== plan);
  }

  async reopen(how: 'crash' | 'restart'): Promise<void> {
    this.shard.disk.heal();
    this.shard.disk.resize(1 << 30);
    if (how === 'restart') {
      await this.#tending;
      await this.buffer.close();
    } else this.ledger.crash();
    if (how === 'crash') this.shard.disk.crash();
    this.#tending = Promise.resolve();
    this.shard.deps = { ledger: this.ledger.sink() };
    this.buffer = await this.shard.open();
    this.#adopt();
    await this.check();
  }

  /** Follows what a refused call may have left behind. */
  #adopt(): void {
    for (const [name, model] of this.streams) {
      const head = this.buffer.stream(name)?.head ?? 0;
      const maybe = model.maybe;
      if (maybe !== undefined && head === model.lines.length + maybe.lines.length) {
        model.lines.push(...maybe.lines);
        for (const _ of maybe.lines) model.hours.push(maybe.hour);
      }
      model.maybe = undefined;
    }
    for (const id of this.#doubtful) this.#follow(id);
    this.#doubtful = new Set();
  }

  /** Takes the job as it is: what the buffer's own sweeps, or a call that failed, have made of it. */
  #follow(id: number): void {
    const job = this.buffer.job(id);
    if (job === undefined) {
      this.jobs.delete(id);
      return;
    }
    const settled = new Set<number>();
    for (let at = job.start; at < job.cursor; at += 1) settled.add(at);
    for (const { from, to } of job.settled) for (let at = from; at < to; at += 1) settled.add(at);
    this.jobs.set(id, {
      stream: job.stream,
      start: job.start,
      settled,
      open: [...job.open],
      sequence: job.sequence,
      closed: job.closedMs !== null,
    });
  }

  async check(): Promise<void> {
    // A closed job's lines end by themselves when the holdback is over.
    for (const [id, model] of this.jobs) if (model.closed) this.#follow(id);
    for (const [name, model] of this.streams) {
      const state = this.buffer.stream(name);
      assert.equal(state?.head ?? 0, model.lines.length, `${name} has its lines`);
      if (state === undefined) continue;
      assert.deepEqual(
        await readAll(this.buffer, name, state.oldest),
        model.lines.slice(state.oldest),
      );
      for (const job of this.jobs.values()) {
        if (job.stream !== name) continue;
        for (let at = job.start; at < state.oldest; at += 1)
          assert.ok(job.settled.has(at), 'I3: only settled lines went');
      }
    }
    for (const [id, model] of this.jobs) if (!this.#doubtful.has(id)) this.#checkJob(id, model);
    this.#checkLedger();
    assert.equal(this.buffer.stats().corruptLines, 0);
  }

  #checkJob(id: number, model: ModelJob): void {
    const job = this.buffer.job(id);
    assert.ok(job !== undefined, `job ${id} is known`);
    const stream = this.#stream(model.stream);
    let cursor = model.start;
    while (model.settled.has(cursor)) cursor += 1;
    assert.deepEqual([job.start, job.cursor, job.sequence], [model.start, cursor, model.sequence]);
    assert.deepEqual(job.open, model.open);
    assert.equal(job.closedMs !== null, model.closed);
    assert.equal(settledLines(job.totals), model.settled.size, 'I2: totals are what was settled');
    const byHour = new Map<number, number>();
    for (let at = model.start; at < stream.lines.length; at += 1) {
      if (!model.settled.has(at))
        byHour.set(stream.hours[at]!, (byHour.get(stream.hours[at]!) ?? 0) + 1);
    }
    const waiting = this.buffer.waiting(id)!;
    assert.deepEqual(waiting.byHour, byHour, 'I2: waiting lines by hour');
    assert.equal(
      waiting.lines + model.settled.size,
      stream.lines.length - model.start,
      'I2: accepted = settled + waiting',
    );
  }

  #checkLedger(): void {
    const events = this.ledger.all();
    for (const [name, model] of this.streams) {
      let accepted = 0;
      for (const event of events) {
        if (event.kind === 'accepted' && event.stream === name)
          accepted += event.range.to - event.range.from;
      }
      assert.equal(accepted, model.lines.length, 'the ledger was told of every line');
    }
    for (const [id, model] of this.jobs) {
      const bills = events.filter((event) => event.kind === 'waybill' && event.waybill.job === id);
      if (!this.#doubtful.has(id))
        assert.equal(bills.length, model.sequence, 'the ledger was told of every waybill');
    }
  }
}

test('I1, I2, I3: whatever was answered holds over failures, crashes, checkpoints and trimming', async () => {
  let trimmed = 0;
  let checkpoints = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 20, maxLength: 120, size: 'max' }),
      async (actions) => {
        const world = new World();
        await world.start();
        for (const one of actions) await world.run(one);
        await world.reopen('crash');
        for (const name of STREAMS) if ((world.buffer.stream(name)?.oldest ?? 0) > 0) trimmed += 1;
        const names = await world.shard.disk.files().list('/data/buffer');
        checkpoints += names.length;
        // A fresh write gets through after all of it.
        await world.run({
          kind: 'append',
          stream: 0,
          count: 3,
          pad: 0,
          keyed: false,
          deflated: false,
        });
        await world.check();
      },
    ),
    { numRuns: RUNS, endOnFailure: true, seed: Number(process.env['WAYBILL_SEED'] ?? 20_261_124) },
  );
  assert.ok(trimmed > 0 && checkpoints > 0, 'the histories trimmed and wrote checkpoints');
});
