/** Frames of one archive file of version 2, verified, read in large pieces. */
import { crc32 } from 'node:zlib';
import { readFully } from '../lib/fs/file-system.ts';
import type { FileHandle } from '../lib/fs/file-system.ts';
import { giveBackMemory } from '../lib/give-back.ts';
import type { LedgerEvent } from '../buffer/index.ts';
import {
  ARCHIVE_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  PAYLOAD_BYTES_MAX,
  decodeFrameHead,
} from './archive-format.ts';

const PIECE_BYTES = PAYLOAD_BYTES_MAX * 2;
const EMPTY = Buffer.alloc(0);

export type FrameRead =
  | {
      readonly kind: 'event';
      readonly event: LedgerEvent;
      readonly end: number;
      readonly syncedBytes: number;
    }
  | { readonly kind: 'mark'; readonly end: number; readonly syncedBytes: number }
  /** The header is right and the payload is not. */
  | { readonly kind: 'broken'; readonly end: number; readonly syncedBytes: number }
  /** No whole frame begins here. */
  | { readonly kind: 'none' };

export class ArchiveFrames {
  readonly #handle: FileHandle;
  readonly #file: number;
  /** Size of the file. */
  readonly bytes: number;
  #window: Buffer = EMPTY;
  #windowAt = 0;
  #synced: number | undefined;

  constructor(handle: FileHandle, file: number, bytes: number) {
    this.#handle = handle;
    this.#file = file;
    this.bytes = bytes;
  }

  /** The frame at a byte of the file. */
  async frameAt(at: number): Promise<FrameRead> {
    if (!this.#holds(at, FRAME_HEADER_BYTES)) await this.#load(at);
    const head = decodeFrameHead(this.#window, at - this.#windowAt, { file: this.#file, at });
    if (head === undefined) return { kind: 'none' };
    const { syncedBytes } = head;
    const end = at + FRAME_HEADER_BYTES + head.payloadBytes;
    if (end > this.bytes) return { kind: 'none' };
    if (head.payloadBytes === 0) return { kind: 'mark', end, syncedBytes };
    if (!this.#holds(at, end - at)) await this.#load(at);
    const payload = this.#window.subarray(
      at + FRAME_HEADER_BYTES - this.#windowAt,
      end - this.#windowAt,
    );
    if (crc32(payload) !== head.payloadCrc) return { kind: 'broken', end, syncedBytes };
    const event = JSON.parse(payload.toString('utf8')) as LedgerEvent;
    return { kind: 'event', event, end, syncedBytes };
  }

  /** The first byte from `from` on at which the header of a frame is whole; the end of the file when there is none. */
  async find(from: number): Promise<number> {
    for (let at = from; at < this.bytes;) {
      if (!this.#holds(at, FRAME_HEADER_BYTES)) await this.#load(at);
      const found = this.#window.indexOf(FRAME_MAGIC, at - this.#windowAt);
      if (found < 0) {
        const end = this.#windowAt + this.#window.length;
        if (end >= this.bytes) break;
        // The magic may begin in the last bytes.
        at = end - FRAME_MAGIC.length + 1;
        continue;
      }
      const place = this.#windowAt + found;
      if (!this.#holds(place, FRAME_HEADER_BYTES)) await this.#load(place);
      const within = place - this.#windowAt;
      if (decodeFrameHead(this.#window, within, { file: this.#file, at: place })) return place;
      at = place + 1;
    }
    return this.bytes;
  }

  /** How much of the file was on stable storage, by its own frames: the most that one of them says. */
  async syncedBytes(): Promise<number> {
    if (this.#synced !== undefined) return this.#synced;
    let synced = 0;
    for (let at = ARCHIVE_HEADER_BYTES; at < this.bytes;) {
      const read = await this.frameAt(at);
      if (read.kind !== 'none') synced = Math.max(synced, read.syncedBytes);
      at = read.kind === 'none' ? await this.find(at + 1) : read.end;
    }
    this.#synced = synced;
    return synced;
  }

  #holds(at: number, count: number): boolean {
    const wanted = Math.min(at + count, this.bytes);
    return at >= this.#windowAt && wanted <= this.#windowAt + this.#window.length;
  }

  /** Gives the memory of what was read back: events are copies. Only for whoever asks for no more. */
  giveBack(): void {
    giveBackMemory(this.#window.buffer);
    this.#window = EMPTY;
  }

  async #load(at: number): Promise<void> {
    this.giveBack();
    const window = Buffer.allocUnsafe(Math.min(PIECE_BYTES, Math.max(0, this.bytes - at)));
    this.#window = window.subarray(0, await readFully(this.#handle, window, at));
    this.#windowAt = at;
  }
}
