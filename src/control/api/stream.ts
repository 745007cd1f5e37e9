/** Answers that are sent while they are made: compressed where the client takes that, and cut off when nobody reads them. */
import { pipeline, Readable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';
import type { Clock } from '../../lib/clock.ts';

export interface Streamed {
  /** What to send. */
  readonly body: Readable;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * @param chunks is returned when the client goes away
 * @param acceptEncoding the request's header (RFC 9110, section 12.5.3)
 * @param stallMs how long a client may take nothing
 */
export function streamed(
  chunks: AsyncGenerator<Buffer, void, void>,
  acceptEncoding: string | undefined,
  clock: Clock,
  stallMs: number,
): Streamed {
  const plain: Readable = Readable.from(
    watched(chunks, clock, stallMs, () => body.destroy(new Error('nobody reads the answer'))),
  );
  // Also when it is closed before anything was read: then what stands between has not begun, and would not pass it on.
  plain.once('close', () => void chunks.return());
  const gzipped = takesGzip(acceptEncoding);
  const vary = { vary: 'accept-encoding' };
  // Fast rather than small: the control thread has other things to do, and lines shrink well at any level.
  const body = gzipped
    ? pipeline(plain, createGzip({ level: constants.Z_BEST_SPEED }), () => {})
    : plain;
  return { body, headers: gzipped ? { ...vary, 'content-encoding': 'gzip' } : vary };
}

/** Between a chunk being handed over and the next one being asked for, the client is awaited. */
async function* watched(
  chunks: AsyncGenerator<Buffer, void, void>,
  clock: Clock,
  stallMs: number,
  giveUp: () => void,
): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of chunks) {
    const cancel = clock.after(stallMs, giveUp);
    try {
      yield chunk;
    } finally {
      cancel();
    }
  }
}

function takesGzip(acceptEncoding = ''): boolean {
  return acceptEncoding
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .some((coding) => /^(?:gzip|\*)(?:\s*;\s*q=(?:1(?:\.0*)?|0\.\d*[1-9]\d*))?$/.test(coding));
}
