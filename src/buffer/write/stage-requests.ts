/**
 * Puts ready requests into a group: large ones as the blocks that they were cut into, small ones of a stream together in
 * shared blocks.
 */
import type { TurnSlices } from '../../lib/turn-slices.ts';
import type { AppendRequest, AppendResult } from '../contract.ts';
import type { IdentityEntry } from '../format/block.codec.ts';
import { batchRequests } from './batch-requests.ts';
import type { Batch, ShareLimits } from './batch-requests.ts';
import { deflateShared } from './deflate-shared.ts';
import type { Compressions } from './compressions.ts';
import type { Piece } from './deflate.ts';
import type { Group, StagedStream } from './group.ts';
import type { Pending } from './intake.ts';

/** What each request will be told once the group is durable. */
export type Answers = Map<Pending, AppendResult>;

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
