/**
 * Receives a request's body, within its bounds of size, memory and time.
 *
 * The body is gathered as it was sent; it is decompressed when it is whole, so that a slow sender holds no decompressor. One
 * whose lines are only counted is not held at all. It ends in one of three ways: whole, refused (then the rest is still on its way and the caller must see to it), or cut off.
 */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../lib/clock.ts';
import type { IngestLimits } from './contract.ts';
import type { Lease } from './memory.ts';
import type { LineCount } from './lines.ts';
import { Pieces } from './pieces.ts';
import { outOfMemory } from './refusal.ts';
import type { Refusal } from './refusal.ts';

/** What takes a body's pieces: one holds them, the other only counts. */
export type UploadBody = Pieces | LineCount;

export type UploadEnd =
  | { readonly kind: 'whole'; readonly body: UploadBody }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The connection ended in mid-body. Nobody is there to answer. */
  | { readonly kind: 'cut' };

export interface Upload {
  readonly ended: Promise<UploadEnd>;
  /** Ends the upload with a refusal when it stalls or takes too long. Asked now and then: a timer for each would be dear. */
  lookAt(nowMs: number): void;
  /** Ends the upload, if it is not over, with a refusal of the caller's. */
  refuse(refusal: Refusal): void;
}

export function tooLarge(limits: IngestLimits): Refusal {
  return { code: 'body_too_large', detail: `At most ${limits.bodyBytes} bytes are taken.` };
}

/**
 * @param body takes the pieces
 * @param lease is charged with what is held as bytes arrive; the caller releases it, however the upload ends
 */
export function receive(
  request: IncomingMessage,
  body: UploadBody,
  lease: Lease,
  limits: IngestLimits,
  clock: Clock,
): Upload {
  const isHeld = body instanceof Pieces;
  const { promise, resolve } = Promise.withResolvers<UploadEnd>();
  const beganMs = clock.monotonicMs();
  let lastMs = beganMs;
  let over = false;

  const finish = (end: UploadEnd): void => {
    if (over) return;
    over = true;
    resolve(end);
  };
  const refuse = (refusal: Refusal): void => {
    if (over) return;
    request.pause();
    request.off('data', onData);
    finish({ kind: 'refused', refusal });
  };
  const onData = (piece: Buffer): void => {
    lastMs = clock.monotonicMs();
    if (body.bytes + piece.length > limits.bodyBytes) return refuse(tooLarge(limits));
    const verdict = isHeld ? lease.grow(piece.length) : 'ok';
    if (verdict !== 'ok') return refuse(outOfMemory(verdict));
    body.push(piece);
  };
  const onEnd = (): void => finish({ kind: 'whole', body });
  const onClose = (): void => finish({ kind: 'cut' });

  const lookAt = (nowMs: number): void => {
    if (nowMs >= Math.min(lastMs + limits.stallMs, beganMs + limits.requestMs)) {
      refuse({ code: 'upload_stalled' });
    }
  };
  request.on('data', onData).on('end', onEnd).on('close', onClose);
  return { ended: promise, lookAt, refuse };
}
