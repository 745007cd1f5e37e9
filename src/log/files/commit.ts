/** Groups as they are written: frames of all of their records, one after the other, payloads not copied. */
import { crc32 } from 'node:zlib';

import { recordLength } from '../record.ts';
import type { Position, RecordParts } from '../contract.ts';
import { FRAME_BYTES, encodeFrame, frameBytes, paddingBytes } from './format.ts';

/** Payloads up to this are copied beside their header: cheaper than one more buffer in the write. */
const COPIED_BYTES = 2048;

export interface Commit {
  /** To be written one after the other. */
  readonly buffers: readonly Uint8Array[];
  readonly bytes: number;
  /** For each group the positions of its records. */
  readonly positions: readonly (readonly Position[])[];
  readonly end: Position;
}

/**
 * Lays out groups from `at` on.
 *
 * @param at where the first frame stands, and the frontier that all frames carry: a commit begins where the last one ended
 */
export function encodeCommit(groups: readonly (readonly RecordParts[])[], at: Position): Commit {
  const layout = new Layout(groups.reduce((sum, group) => sum + scratchBytes(group), 0));
  const positions: Position[][] = [];
  let position: number = at;
  for (const group of groups) {
    const standing: Position[] = [];
    for (const [index, parts] of group.entries()) {
      const length = recordLength(parts);
      let payloadCrc = 0;
      for (const part of parts) payloadCrc = crc32(part, payloadCrc);
      const last = index === group.length - 1;
      const frame = { length, payloadCrc, index, frontier: at, last, mark: false };
      encodeFrame(layout.scratch, layout.take(FRAME_BYTES), position, frame);
      for (const part of parts) layout.add(part, length <= COPIED_BYTES);
      layout.take(paddingBytes(length));
      standing.push(position as Position);
      position += frameBytes(length);
    }
    positions.push(standing);
  }
  return { buffers: layout.finish(), bytes: position - at, positions, end: position as Position };
}

/** A frame without a record that carries the frontier, so that the last commit counts as behind it. */
export function encodeMark(at: Position): Buffer {
  const bytes = Buffer.alloc(FRAME_BYTES);
  const frame = { length: 0, payloadCrc: 0, index: 0, frontier: at, last: true, mark: true };
  encodeFrame(bytes, 0, at, frame);
  return bytes;
}

/** What of a group is not written from where it is: headers, padding, small payloads. */
function scratchBytes(group: readonly RecordParts[]): number {
  let bytes = 0;
  for (const parts of group) {
    const length = recordLength(parts);
    bytes += FRAME_BYTES + paddingBytes(length) + (length <= COPIED_BYTES ? length : 0);
  }
  return bytes;
}

/** Gathers buffers: runs of the scratch buffer, and large parts as they are. */
class Layout {
  readonly scratch: Buffer;
  readonly #buffers: Uint8Array[] = [];
  #runStart = 0;
  #used = 0;

  constructor(bytes: number) {
    this.scratch = Buffer.alloc(bytes);
  }

  /** Sets aside bytes of the scratch buffer and returns where they begin. */
  take(bytes: number): number {
    const at = this.#used;
    this.#used += bytes;
    return at;
  }

  add(part: Uint8Array, copied: boolean): void {
    if (copied) {
      this.scratch.set(part, this.take(part.length));
    } else if (part.length > 0) {
      this.#endRun();
      this.#buffers.push(part);
    }
  }

  finish(): readonly Uint8Array[] {
    this.#endRun();
    return this.#buffers;
  }

  #endRun(): void {
    if (this.#used === this.#runStart) return;
    this.#buffers.push(this.scratch.subarray(this.#runStart, this.#used));
    this.#runStart = this.#used;
  }
}
