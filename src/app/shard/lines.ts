/** The shard's side of what the control API asks of held lines: places in streams, and erasure. */
import type { ShardBuffer, StreamState } from '../../buffer/index.ts';
import type { ErasureReach, PlaceAsked, PlaceFound } from '../../control/index.ts';
import type { Delivery } from '../../deliver/index.ts';
import type { Clock } from '../../lib/clock.ts';
import { parseStreamKey, scopePath } from '../../model/scope.ts';

/** Lines that an erasure takes, as the shard counts them. */
export interface ShardErasure {
  readonly streams: readonly {
    readonly stream: string;
    readonly to: number;
    readonly lines: number;
  }[];
  readonly waitingLines: number;
}

export interface ShardLinesDeps {
  readonly buffer: ShardBuffer;
  readonly clock: Pick<Clock, 'sleep'>;
}

/** What is received now may be on its way to the disk: how often, and after how long, its time is asked for again. */
const EARLY_TRIES = 200;
const EARLY_MS = 10;

/** Where a place lies in a stream. */
export async function findPlace(
  { buffer, clock }: ShardLinesDeps,
  key: string,
  asked: PlaceAsked,
): Promise<PlaceFound> {
  const stream = buffer.stream(key);
  if (stream === undefined) {
    if (asked.kind === 'offset' && asked.offset > 0) return { kind: 'ahead' };
    return { kind: 'place', place: null, oldest: 0, head: 0 };
  }
  const { head, oldest } = stream;
  const at = (offset: number): PlaceFound => {
    return { kind: 'place', place: { epoch: stream.epoch, offset }, oldest, head };
  };
  switch (asked.kind) {
    case 'now':
      return at(head);
    case 'oldest':
      return at(oldest);
    case 'offset':
      if (asked.offset > head) return { kind: 'ahead' };
      return asked.offset < oldest ? gone(buffer, stream, null) : at(asked.offset);
    case 'time': {
      const found = await offsetAt({ buffer, clock }, key, asked.ms);
      switch (found.kind) {
        case 'offset':
          return found.offset < oldest ? gone(buffer, stream, null) : at(found.offset);
        case 'gone':
          return gone(buffer, stream, found.sinceMs);
        case 'early':
          return { kind: 'ahead' };
        case 'failed':
          return found;
      }
    }
  }
}

/** What is there instead: all from the oldest line on. */
async function gone(
  buffer: ShardBuffer,
  { epoch, oldest, stream }: StreamState,
  sinceMs: number | null,
): Promise<PlaceFound> {
  const [first] = sinceMs === null ? await buffer.peek(stream, oldest, 1) : [];
  const since = sinceMs ?? first?.receivedMs ?? null;
  return { kind: 'gone', place: { epoch, offset: oldest }, sinceMs: since };
}

async function offsetAt({ buffer, clock }: ShardLinesDeps, key: string, ms: number) {
  for (let tries = 1; ; tries += 1) {
    const found = await buffer.offsetAt(key, ms);
    if (found.kind !== 'early' || tries >= EARLY_TRIES) return found;
    await clock.sleep(EARLY_MS);
  }
}

/** What an erasure would take. Rejects when the disk does not answer. */
export async function erasable(deps: ShardLinesDeps, reach: ErasureReach): Promise<ShardErasure> {
  const { buffer } = deps;
  const streams: { stream: string; to: number; lines: number }[] = [];
  for (const state of [...buffer.streams()].filter((one) => isMeant(one, reach))) {
    const found = await offsetAt(deps, state.stream, reach.beforeMs);
    if (found.kind === 'early') throw new Error('lines of that time are still on their way');
    if (found.kind === 'failed') throw new Error(found.detail);
    const to = found.kind === 'offset' ? found.offset : state.oldest;
    streams.push({ stream: state.stream, to, lines: Math.max(0, to - state.oldest) });
  }
  const ends = new Map(streams.map(({ stream, to }) => [stream, to]));
  let waitingLines = 0;
  for (const job of buffer.jobs()) {
    const to = ends.get(job.stream) ?? 0;
    if (job.cursor >= to) continue;
    waitingLines += to - job.cursor;
    for (const { from, to: end } of job.settled)
      waitingLines -= Math.max(0, Math.min(end, to) - from);
  }
  return { streams, waitingLines };
}

/** Erases. Resolves once it is durable; rejects when it is not, or not wholly. */
export async function erase(
  deps: ShardLinesDeps & { readonly delivery: Pick<Delivery, 'recall'> },
  reach: ErasureReach,
): Promise<ShardErasure> {
  const size = await erasable(deps, reach);
  const result = await deps.buffer.erase(reach.order, size.streams);
  if (result.kind === 'failed') throw new Error(result.detail);
  deps.delivery.recall(size.streams.map(({ stream }) => stream));
  return size;
}

/** Whether lines that the order means still have bytes on disk, or are not settled yet. */
export function isErasing(buffer: ShardBuffer, reach: ErasureReach): boolean {
  const meant = [...buffer.streams()].filter((one) => isMeant(one, reach));
  return buffer.erasing(meant.map(({ stream }) => stream)).length > 0;
}

function isMeant({ account, stream }: StreamState, reach: ErasureReach): boolean {
  const parsed = parseStreamKey(stream);
  if (parsed === undefined) return false;
  if (reach.dataset !== null && parsed.dataset !== reach.dataset) return false;
  const path = scopePath(parsed.scope);
  if (reach.scopes.some((scope) => scopePath(scope) === path)) return true;
  const { id, kind } = parsed.scope;
  return reach.account === account && kind === 'zone' && !reach.standing.includes(id);
}

/** What several shards' erasures take together. */
export function sumErasures(sizes: readonly ShardErasure[]): ShardErasure {
  return {
    streams: sizes.flatMap(({ streams }) => streams),
    waitingLines: sizes.reduce((sum, { waitingLines }) => sum + waitingLines, 0),
  };
}
