/**
 * Puts ready requests into a group: large ones as the blocks that they were cut into, small ones of a stream together in
 * shared blocks.
 */
import type { TurnSlices } from '../../lib/turn-slices.ts';
import type { AppendRequest, AppendResult } from '../contract.ts';
import type { IdentityEntry } from '../format/block.codec.ts';
import { deflateShared } from './deflate-shared.ts';
import type { Compressions } from './deflate-shared.ts';
import type { Piece } from './deflate.ts';
import type { Group, StagedStream } from './group.ts';
import type { Pending } from './intake.ts';

export interface ShareLimits {
  readonly blockLines: number;
  readonly blockBytes: number;
  readonly blockKeys: number;
}

/** Several small requests of one stream, or one large one. */
export interface Batch {
  readonly members: readonly Pending[];
  readonly lines: number;
  readonly bytes: number;
}

/** What each request will be told once the group is durable. */
export type Answers = Map<Pending, AppendResult>;

/** Brings requests together that may share a block, keeping each stream's order. */
export function batchRequests(requests: readonly Pending[], limits: ShareLimits): Batch[] {
  const batches: Batch[] = [];
  const open = new Map<string, { members: Pending[]; lines: number; bytes: number }>();
  for (const pending of requests) {
    const { stream, lines } = pending.request;
    const size = { lines: lines.ends.length, bytes: lines.bytes.length };
    if (pending.pieces.length > 0) {
      open.delete(stream);
      batches.push({ members: [pending], ...size });
      continue;
    }
    const batch = open.get(stream);
    const fits =
      batch !== undefined &&
      batch.members.length < limits.blockKeys &&
      batch.lines + size.lines <= limits.blockLines &&
      batch.bytes + size.bytes <= limits.blockBytes;
    if (fits) {
      batch.members.push(pending);
      batch.lines += size.lines;
      batch.bytes += size.bytes;
    } else {
      const fresh = { members: [pending], ...size };
      open.set(stream, fresh);
      batches.push(fresh);
    }
  }
  return batches;
}

/**
 * Deflates what shares blocks and gives out offsets.
 *
 * @param slices ends the turn in between: nothing else gives out offsets meanwhile
 */
export async function stageRequests(
  group: Group,
  requests: readonly Pending[],
  limits: ShareLimits,
  compressions: Compressions,
  slices: TurnSlices,
): Promise<Answers> {
  const batches = batchRequests(requests, limits);
  const shared = batches.filter(({ members }) => members.every((one) => one.pieces.length === 0));
  const pieces = await deflateShared(shared, compressions);
  const answers: Answers = new Map();
  for (const batch of batches) {
    if (slices.isDue()) await slices.next();
    const [first] = batch.members;
    if (first === undefined) continue;
    const stream = group.stream(first.request.stream, first.request.account);
    const piece = pieces.get(batch);
    if (piece === undefined) answers.set(first, stageLarge(group, stream, first));
    else stageShared(group, stream, batch, piece, answers);
  }
  return answers;
}

function stageLarge(group: Group, stream: StagedStream, pending: Pending): AppendResult {
  const from = stream.head;
  for (const piece of pending.pieces) {
    const entries = identityOf(pending, from, 0, piece.lines);
    group.block(stream, piece, entries);
  }
  return stored(stream, from);
}

function stageShared(
  group: Group,
  stream: StagedStream,
  batch: Batch,
  piece: Piece,
  answers: Answers,
): void {
  const entries: IdentityEntry[] = [];
  const from = stream.head;
  let line = 0;
  for (const member of batch.members) {
    const lines = member.request.lines.ends.length;
    entries.push(...identityOf(member, from + line, line, lines));
    const range = { from: from + line, to: from + line + lines };
    answers.set(member, { kind: 'stored', epoch: stream.epoch, range, repeat: false });
    line += lines;
  }
  group.block(stream, piece, entries);
}

function identityOf(
  pending: Pending,
  requestFirst: number,
  lineStart: number,
  lines: number,
): IdentityEntry[] {
  const { identity, lines: body }: AppendRequest = pending.request;
  if (identity === undefined) return [];
  return [
    {
      identity,
      lineStart,
      lines,
      requestFirst,
      requestLines: body.ends.length,
      requestBytes: body.bytes.length,
      requestCrc: pending.crc,
    },
  ];
}

function stored(stream: StagedStream, from: number): AppendResult {
  return { kind: 'stored', epoch: stream.epoch, range: { from, to: stream.head }, repeat: false };
}
