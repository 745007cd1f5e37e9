/** Deflates the blocks that small requests share in a commit: on the calling thread, in another one, or in libuv's pool. */
import type { DeflateMany } from '../../lib/deflate-many/contract.ts';
import { nextTurn } from '../gate.ts';
import type { Gate } from '../gate.ts';
import { isShortCommit, isSmall, makePiece, makePieces, whereToDeflate } from './deflate.ts';
import type { Piece } from './deflate.ts';
import type { Batch } from './batch-requests.ts';
import type { Compressions } from './compressions.ts';

type Pieces = Map<Batch, Piece>;

/** Plain bytes of tiny blocks deflated on this thread before the turn ends. */
const TURN_BYTES = 256 * 1024;

/** @param batches of small requests alone */
export async function deflateShared(
  batches: readonly Batch[],
  { gate, many }: Compressions,
): Promise<ReadonlyMap<Batch, Piece>> {
  const pieces: Pieces = new Map();
  const commitBytes = batches.reduce((sum, { bytes }) => sum + bytes, 0);
  const small = batches.filter(({ bytes }) => isSmall(bytes));
  // One by itself is a trip either way.
  if (many === undefined || small.length < 2 || isShortCommit(commitBytes)) {
    await deflateEach(batches, commitBytes, gate, pieces);
    return pieces;
  }
  const together = deflateTogether(small, many, pieces);
  await deflateEach(
    batches.filter(({ bytes }) => !isSmall(bytes)),
    commitBytes,
    gate,
    pieces,
  );
  if ((await together) === 'not just now') await deflateEach(small, commitBytes, gate, pieces);
  return pieces;
}

async function deflateEach(
  batches: readonly Batch[],
  commitBytes: number,
  gate: Gate,
  into: Pieces,
): Promise<void> {
  const underWay: Promise<unknown>[] = [];
  let turnBytes = 0;
  for (const batch of batches) {
    const where = whereToDeflate(batch.bytes, commitBytes);
    const task = async () =>
      void into.set(batch, await makePiece(joined(batch), batch.lines, where));
    if (where === 'pool') {
      underWay.push(gate.run(task));
      continue;
    }
    await task();
    turnBytes += batch.bytes;
    if (turnBytes < TURN_BYTES) continue;
    turnBytes = 0;
    await nextTurn();
  }
  await Promise.all(underWay);
}

/** All of them or none. */
async function deflateTogether(
  batches: readonly Batch[],
  many: DeflateMany,
  into: Pieces,
): Promise<'done' | 'not just now'> {
  const plain = batches.map(({ members, bytes, lines }) => ({
    parts: members.map((member) => member.request.lines.bytes),
    bytes,
    lines,
  }));
  const made = await makePieces(plain, many);
  if (made === undefined) return 'not just now';
  for (const [index, batch] of batches.entries()) into.set(batch, made[index]!);
  return 'done';
}

function joined({ members, bytes }: Batch): Buffer {
  const bodies = members.map((member) => member.request.lines.bytes);
  return bodies.length === 1 ? bodies[0]! : Buffer.concat(bodies, bytes);
}
