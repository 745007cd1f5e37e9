/**
 * The one writer of the shard's log. One append is under way at a time: while it is synced, requests gather, and the next
 * group takes all that are ready. So a lone request waits for nobody, and under load one sync serves many.
 *
 * Plans, waybills and job records go first in each group, and pass by themselves when there is no room for lines.
 */
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Random } from '../../lib/random.ts';
import { TurnSlices } from '../../lib/turn-slices.ts';
import type { AppendFailure, ShardLog } from '../../log/index.ts';
import type { AppendRefusal, AppendResult, RecordResult } from '../contract.ts';
import { encodeIndexPage, packRefs, PAGE_ENTRIES } from '../format/index-page.ts';
import type { IndexPageRecord } from '../format/index-page.ts';
import { nextTurn } from '../gate.ts';
import type { ServiceClock } from '../service-clock.ts';
import type { ShardState } from '../state/state.ts';
import { Group } from './group.ts';
import type { Draft } from './group.ts';
import type { Pending } from './intake.ts';
import type { ShareLimits } from './batch-requests.ts';
import type { Compressions } from './compressions.ts';
import { stageRequests } from './stage-requests.ts';
import type { Answers } from './stage-requests.ts';

/** A record that is no block: puts itself into the group, or answers at once when the state has moved on meanwhile. */
export interface Control {
  stage(group: Group): RecordResult | undefined;
  done(result: RecordResult): void;
}

export interface CommitLimits extends ShareLimits {
  readonly commitBytes: number;
  /** Bytes of blocks after which the tail is sealed with an index. */
  readonly segmentBytes: number;
  /** Records after which it is, however small they are. */
  readonly spanBlocks: number;
}

export interface CommitterDeps {
  readonly log: ShardLog;
  readonly state: ShardState;
  readonly clock: Clock;
  readonly service: ServiceClock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly compressions: Compressions;
  readonly limits: CommitLimits;
  /** Called for each record once it is durable and applied, with its bytes still at hand. */
  readonly applied: (draft: Draft, position: number) => void;
  readonly grew: (streams: readonly string[]) => void;
  /** Called when an append found no room. */
  readonly full: () => void;
}

/** Control records in one group: bounds its length in records. */
const CONTROLS = 4_096;
/** What a producer is told to wait when the disk did not take its lines. */
const RETRY_MS = { full: 5_000, failed: 1_000, fenced: 5_000 } as const;

export class Committer {
  readonly #deps: CommitterDeps;
  #controls: Control[] = [];
  #requests: Pending[] = [];
  #running: Promise<void> | undefined;
  /** Whether something came or became ready since the queue was last looked at. */
  #woken = false;
  #sealRefused = false;
  #sealAsked = false;
  commits = 0;
  /** The time of reception that the group under way gives its lines; Infinity while there is none. */
  stampMs = Infinity;

  constructor(deps: CommitterDeps) {
    this.#deps = deps;
  }

  enqueue(pending: Pending): void {
    this.#requests.push(pending);
    this.wake();
  }

  /** Records something that is no line. Resolves when it is durable. */
  record(stage: Control['stage']): Promise<RecordResult> {
    return new Promise((done) => {
      this.#controls.push({ stage, done });
      this.wake();
    });
  }

  wake(): void {
    this.#woken = true;
    if (this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#woken) this.wake();
    });
  }

  /** Seals the tail behind what is under way, however small it is: lines age by span. */
  seal(): Promise<RecordResult> {
    this.#sealAsked = true;
    return this.record(() => undefined);
  }

  /** Resolves when nothing is under way or waiting any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#requests.length > 0) {
      await (this.#running ?? nextTurn());
    }
  }

  async #run(): Promise<void> {
    // What the same turn brings shares the first commit.
    await nextTurn();
    for (;;) {
      this.#woken = false;
      const controls = this.#controls.splice(0, CONTROLS);
      const requests = this.#takeReady();
      if (controls.length === 0 && requests.length === 0) return;
      await this.#commit(controls, requests);
      await this.#sealIfDue();
    }
  }

  /** Takes ready requests up to the bound, never one that would overtake another of its stream. */
  #takeReady(): Pending[] {
    const taken: Pending[] = [];
    const left: Pending[] = [];
    const behind = new Set<string>();
    let bytes = 0;
    for (const pending of this.#requests) {
      const { stream, lines } = pending.request;
      const size = pending.pieces.length > 0 ? pieceBytes(pending) : lines.bytes.length;
      const fits = taken.length === 0 || bytes + size <= this.#deps.limits.commitBytes;
      if (pending.ready && fits && !behind.has(stream)) {
        taken.push(pending);
        bytes += size;
      } else {
        left.push(pending);
        behind.add(stream);
      }
    }
    this.#requests = left;
    return taken;
  }

  async #commit(controls: readonly Control[], requests: readonly Pending[]): Promise<void> {
    const { clock, compressions, limits, random, service, state } = this.#deps;
    const group = new Group(state, random, clock.wallMs(), service.nowMs());
    this.stampMs = group.wallMs;
    const staged: Control[] = [];
    const slices = new TurnSlices(clock, nextTurn);
    for (const control of controls) {
      if (slices.isDue()) await slices.next();
      const answer = control.stage(group);
      if (answer === undefined) staged.push(control);
      else control.done(answer);
    }
    const answers = await stageRequests(group, requests, limits, compressions, slices);
    const failure = await this.#append(group.drafts());
    this.stampMs = Infinity;
    if (failure === undefined) {
      for (const control of staged) control.done({ kind: 'durable' });
      this.#answer(answers);
      return;
    }
    // Lines may be too much for the disk where a few small records still fit: those must pass.
    const again = failure.kind === 'full' && requests.length > 0 ? staged : [];
    this.#controls.unshift(...again);
    for (const control of staged) {
      if (again.length === 0) control.done({ kind: 'failed', detail: detailOf(failure) });
    }
    this.#refuse(requests, failure);
  }

  #answer(answers: Answers): void {
    const grown = new Set<string>();
    for (const [pending, answer] of answers) {
      grown.add(pending.request.stream);
      pending.done(answer);
    }
    if (grown.size > 0) this.#deps.grew([...grown]);
  }

  #refuse(requests: readonly Pending[], failure: AppendFailure): void {
    const reason: AppendRefusal = failure.kind === 'full' ? 'disk_full' : 'not_durable';
    const answer: AppendResult = { kind: 'refused', reason, retryAfterMs: RETRY_MS[failure.kind] };
    for (const pending of requests) pending.done(answer);
  }

  /** Appends the records as one group and applies them. Answers the failure, after which nothing has happened. */
  async #append(drafts: readonly Draft[], roll = false): Promise<AppendFailure | undefined> {
    if (drafts.length === 0) return undefined;
    const { diagnostics, full, log, state } = this.#deps;
    const outcome = await log.append(
      drafts.map((draft) => draft.parts),
      { roll },
    );
    if (outcome.kind !== 'durable') {
      diagnostics.error('buffer.append_failed', {
        outcome: outcome.kind,
        detail: detailOf(outcome),
      });
      if (outcome.kind === 'full') full();
      return outcome;
    }
    this.commits += 1;
    assert(outcome.positions.length === drafts.length, 'the log names a place for each record');
    const slices = new TurnSlices(this.#deps.clock, nextTurn);
    for (const [index, draft] of drafts.entries()) {
      // What is durable is applied record by record: whoever looks in between sees a prefix, as after a crash.
      // But not between the pages of an index: one that is not applied yet looks as if it were damaged, and all of it would be read anew.
      if (slices.isDue() && draft.record.kind !== 'index') await slices.next();
      const position = outcome.positions[index]!;
      state.apply(draft.record, position, outcome.positions[index + 1] ?? outcome.end);
      this.#deps.applied(draft, position);
    }
    return undefined;
  }

  async #sealIfDue(): Promise<void> {
    const { limits, state } = this.#deps;
    const { spans } = state;
    const full = spans.tailBytes >= limits.segmentBytes || spans.tailRecords >= limits.spanBlocks;
    if (!full && !this.#sealAsked) return;
    this.#sealAsked = false;
    if (spans.tailRecords === 0) return;
    const drafts = [];
    for (const draft of indexDrafts(state, this.#deps.service.nowMs())) {
      drafts.push(draft);
      // A page takes a millisecond. Nothing else adds to the tail meanwhile.
      await nextTurn();
    }
    const failure = await this.#append(drafts, true);
    if (failure !== undefined && !this.#sealRefused) {
      this.#deps.diagnostics.warn('buffer.index_refused', { detail: detailOf(failure) });
    }
    this.#sealRefused = failure !== undefined;
  }
}

/** The pages of the tail's index, as one group's records. */
export function* indexDrafts(state: ShardState, serviceMs: number): Generator<Draft> {
  const { spans } = state;
  const refs = spans.sortedTail();
  // A tail without blocks is sealed by one empty page.
  const pages = Math.max(1, Math.ceil(refs.length / PAGE_ENTRIES));
  for (let page = 0; page < pages; page += 1) {
    const entries = refs.slice(page * PAGE_ENTRIES, (page + 1) * PAGE_ENTRIES);
    const head = { serviceMs, span: spans.nextId, page, pages, spanStart: spans.tailStart };
    const record: IndexPageRecord = { kind: 'index', ...head, entries: packRefs(entries) };
    yield { record, parts: [encodeIndexPage(head, entries)] };
  }
}

function pieceBytes(pending: Pending): number {
  return pending.pieces.reduce((sum, piece) => sum + piece.stored.length, 0);
}

function detailOf(failure: AppendFailure): string {
  return failure.kind === 'fenced' ? 'a newer owner has the shard' : failure.detail;
}
