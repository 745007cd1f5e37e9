/** Reads frames out of one segment file, verified, in large pieces. */
import { crc32 } from 'node:zlib';

import { readFully } from '../../lib/fs/file-system.ts';
import type { FileHandle } from '../../lib/fs/file-system.ts';
import type { LogRecord, Position } from '../contract.ts';
import type { Frame } from './format.ts';
import {
  ALIGNMENT,
  FRAME_BYTES,
  FRAME_MAGIC,
  HEADER_BYTES,
  decodeFrame,
  frameBytes,
} from './format.ts';

export type FrameRead =
  | {
      readonly kind: 'frame';
      readonly frame: Frame;
      /** Position, end, and the payload, whose memory may be shared with its neighbours'. */
      readonly record: LogRecord;
    }
  /** The header is right and the payload is not. */
  | {
      readonly kind: 'broken';
      readonly frame: Frame;
      readonly end: Position;
      readonly payload: Buffer;
    }
  /** No frame begins here. */
  | { readonly kind: 'none' };

export class FrameReader {
  readonly #file: FileHandle;
  readonly #base: Position;
  readonly #limit: Position;
  readonly #chunkBytes: number;
  #window: Buffer = Buffer.alloc(0);
  /** Position of the window's first byte. */
  #windowAt = 0;

  /**
   * @param base the segment's
   * @param limit nothing at or past it is read
   * @param chunkBytes how much is read at once
   */
  constructor(file: FileHandle, base: Position, limit: Position, chunkBytes: number) {
    this.#file = file;
    this.#base = base;
    this.#limit = limit;
    this.#chunkBytes = chunkBytes;
  }

  /** The frame at a position. Rejects with FsError when the disk does not answer. */
  async frameAt(position: Position): Promise<FrameRead> {
    if (position >= this.#limit) return { kind: 'none' };
    await this.#load(position, FRAME_BYTES);
    const frame = decodeFrame(this.#window, position - this.#windowAt, position);
    if (!frame) return { kind: 'none' };
    const end = (position + frameBytes(frame.length)) as Position;
    if (end > this.#limit) return { kind: 'none' };
    await this.#load(position, end - position);
    const at = position - this.#windowAt + FRAME_BYTES;
    const payload = this.#window.subarray(at, at + frame.length);
    if (payload.length < frame.length || crc32(payload) !== frame.payloadCrc) {
      return { kind: 'broken', frame, end, payload };
    }
    return { kind: 'frame', frame, record: { position, end, payload } };
  }

  /** The first position at or after `from` where a frame's header is whole, or the limit. */
  async find(from: Position): Promise<Position> {
    let position: number = from;
    while (position < this.#limit) {
      await this.#load(position as Position, FRAME_BYTES);
      const at = this.#window.indexOf(FRAME_MAGIC, position - this.#windowAt);
      const windowEnd = this.#windowAt + this.#window.length;
      if (at < 0) {
        if (windowEnd <= position + FRAME_BYTES) break;
        // The magic may begin in the last bytes.
        position = windowEnd - FRAME_MAGIC.length + 1;
        continue;
      }
      const found = this.#windowAt + at;
      await this.#load(found as Position, FRAME_BYTES);
      const aligned = (found - this.#base) % ALIGNMENT === 0;
      if (aligned && decodeFrame(this.#window, found - this.#windowAt, found)) {
        return found as Position;
      }
      position = found + 1;
    }
    return this.#limit;
  }

  /** Makes the window hold `bytes` from `position` on, as far as the file and the limit go. */
  async #load(position: Position, bytes: number): Promise<void> {
    const need = Math.min(bytes, this.#limit - position);
    const held = this.#windowAt + this.#window.length - position;
    if (position >= this.#windowAt && held >= need) return;
    const size = Math.min(Math.max(need, this.#chunkBytes), this.#limit - position);
    // A window of its own each time: records handed out share its memory.
    const window = Buffer.allocUnsafeSlow(size);
    const kept =
      position >= this.#windowAt && held > 0
        ? this.#window.copy(window, 0, position - this.#windowAt)
        : 0;
    const offset = position - this.#base + HEADER_BYTES + kept;
    const count = await readFully(this.#file, window.subarray(kept), offset);
    this.#window = window.subarray(0, kept + count);
    this.#windowAt = position;
  }
}
