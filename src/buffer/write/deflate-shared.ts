/** Deflates the blocks that small requests share in a commit: on the calling thread, in another one, or in libuv's pool. */
import type { DeflateMany } from '../../lib/deflate-many/contract.ts';
import { nextTurn } from '../gate.ts';
import type { Gate } from '../gate.ts';
import { isSmall, makePiece, makePieces, whereToDeflate } from './deflate.ts';
import type { Piece } from './deflate.ts';
import type { Batch } from './stage-requests.ts';

export interface Compressions {
  /** Bounds the deflating in the pool: a commit of many streams has many blocks. */
  readonly gate: Gate;
  readonly many: DeflateMany | undefined;
}

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
  const isShort = (batch: Batch): boolean => whereToDeflate(batch.bytes, commitBytes) === 'here';
  if (many !== undefined && !batches.every(isShort)) {
    await deflateTogether(
      batches.filter(({ bytes }) => isSmall(bytes)),
      many,
      pieces,
    );
  }
  const underWay: Promise<unknown>[] = [];
  let turnBytes = 0;
  for (const batch of batches) {
    if (pieces.has(batch)) continue;
    const where = whereToDeflate(batch.bytes, commitBytes);
    const task = async () =>
      void pieces.set(batch, await makePiece(joined(batch), batch.lines, where));
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
  return pieces;
}

/** All of them or none. */
async function deflateTogether(
  batches: readonly Batch[],
  many: DeflateMany,
  into: Pieces,
): Promise<void> {
  const plain = batches.map(({ members, bytes, lines }) => ({
    parts: members.map((member) => member.request.lines.bytes),
    bytes,
    lines,
  }));
  const made = await makePieces(plain, many);
  if (made === undefined) return;
  for (const [index, batch] of batches.entries()) into.set(batch, made[index]!);
}

function joined({ members, bytes }: Batch): Buffer {
  const bodies = members.map((member) => member.request.lines.bytes);
  return bodies.length === 1 ? bodies[0]! : Buffer.concat(bodies, bytes);
}
