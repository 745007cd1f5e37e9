/**
 * Looks for the lines of a ray id: through what is held, newest first, because whoever asks has met the request just now.
 * There is no index of ray ids; blocks that do not hold the id's bytes at all are passed over without a look inside.
 */
import type { Clock } from '../lib/clock.ts';
import type { Range } from '../model/delivery.ts';
import type { PullDeps, PullEncoder, PullLimits, RayAnswer, RayRequest } from './contract.ts';
import { piecesOf } from './stretch.ts';

interface RayDeps extends PullDeps {
  readonly clock: Clock;
  readonly limits: PullLimits;
}

/** The name of the field that holds a ray's id. */
const RAY_FIELD = 'RayID';

interface Search {
  readonly deps: RayDeps;
  readonly request: RayRequest;
  readonly epoch: string;
  readonly encoder: PullEncoder;
  readonly needle: Buffer;
  readonly deadlineMs: number;
  /** Oldest stretch first. */
  found: Buffer[];
  lines: number;
  bytes: number;
  /** Reception of the oldest line looked at, and of the oldest one found. */
  seenMs: number;
  foundMs: number;
}

export async function searchRay(
  deps: RayDeps,
  request: RayRequest,
  epoch: string,
  range: Range,
): Promise<RayAnswer> {
  const { outputOptions, dataset, ray } = request;
  const filter = JSON.stringify({ where: { key: RAY_FIELD, operator: 'eq', value: ray } });
  const search: Search = {
    deps,
    request,
    epoch,
    encoder: deps.encoderOf({ filter, outputOptions, dataset }, epoch),
    needle: Buffer.from(ray),
    deadlineMs: deps.clock.monotonicMs() + deps.limits.rayMs,
    found: [],
    lines: 0,
    bytes: 0,
    seenMs: Infinity,
    foundMs: Infinity,
  };
  let to = range.to;
  while (to > range.from && !isEnough(search)) {
    if (isOver(search)) {
      if (search.lines > 0) break;
      return { kind: 'unfinished', sinceMs: search.seenMs };
    }
    const from = Math.max(range.from, to - deps.limits.rayStepLines);
    const next = await searchStretch(search, { from, to });
    if (typeof next === 'string') return { kind: 'failed', detail: next };
    to = next;
  }
  return { kind: 'found', lines: Buffer.concat(search.found) };
}

/** A ray's lines lie close together: past the oldest one found the search goes on for a while only. */
function isEnough({ deps, lines, seenMs, foundMs }: Search): boolean {
  if (lines === 0) return false;
  return lines >= deps.limits.rayLines || foundMs - seenMs > deps.limits.rayPastMs;
}

function isOver({ deps, bytes, deadlineMs }: Search): boolean {
  return bytes >= deps.limits.rayBytes || deps.clock.monotonicMs() >= deadlineMs;
}

/** Looks through a stretch. @returns where it began, a block's beginning; or why it could not be read */
async function searchStretch(search: Search, stretch: Range): Promise<number | string> {
  const { deps, request, epoch, encoder, needle } = search;
  const found: Buffer[] = [];
  let begun = stretch.from;
  const { pageBytes } = deps.limits;
  for await (const piece of piecesOf(deps, request.stream, epoch, stretch, pageBytes)) {
    if (piece.kind === 'broken') return piece.detail;
    // Damage was told by the buffer, and took what it took.
    if (piece.kind === 'damaged') continue;
    const { plain, block, receivedMs } = piece;
    if (block.from < stretch.from) begun = block.from;
    search.bytes += plain.length;
    search.seenMs = Math.min(search.seenMs, receivedMs);
    if (!plain.includes(needle)) continue;
    const { bytes, lines } = encoder.encode(plain, block.from, wholeOf(block, stretch), false);
    if (lines === 0) continue;
    found.push(bytes);
    search.lines += lines;
    search.foundMs = Math.min(search.foundMs, receivedMs);
    if (search.lines >= deps.limits.rayLines) break;
  }
  search.found = [...found, ...search.found];
  return begun;
}

/** A block that reaches over the stretch's beginning is looked through whole; its end belongs to what was looked at before. */
function wholeOf(block: Range, stretch: Range): Range {
  return { from: block.from, to: Math.min(block.to, stretch.to) };
}
