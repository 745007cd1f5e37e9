/** In the thread that deflates for others. */
import { crc32 } from 'node:zlib';
import { deflateHere } from '../deflater.ts';
import { giveBackMemory } from '../give-back.ts';
import type { Done, FromThread, Order, Port } from './messages.ts';

/** Serves until the thread ends. */
export function deflateForOthers(port: Port): void {
  port.on('message', (order: Order) => say(deflateAll(order)));
  const say = (message: FromThread): void => port.postMessage(message);
  say('ready');
}

function deflateAll({ order, memory, ends, level }: Order): Done {
  const plainCrcs = new Uint32Array(ends.length);
  const lengths = new Uint32Array(ends.length);
  const crcs = new Uint32Array(ends.length);
  let from = 0;
  for (const [index, end] of ends.entries()) {
    const piece = Buffer.from(memory, from, end - from);
    plainCrcs[index] = crc32(piece);
    const fragment = deflated(piece, level);
    if (fragment !== undefined) {
      lengths[index] = fragment.length;
      crcs[index] = crc32(fragment);
      piece.set(fragment);
      giveBackMemory(fragment.buffer);
    }
    from = end;
  }
  return { order, plainCrcs, lengths, crcs };
}

function deflated(piece: Buffer, level: number): Buffer | undefined {
  try {
    const fragment = deflateHere(piece, level, piece.length);
    return fragment.length < piece.length ? fragment : undefined;
  } catch {
    // zlib fails only for want of memory; then the piece is kept as it came.
    return undefined;
  }
}
