/**
 * One stream in memory. There may be 200,000 of them, so an idle one is this object and three short arrays: numbers that
 * belong together stand side by side in one array instead of in objects of their own.
 */
import { hourOf } from '../../model/delivery.ts';

const MARK = 3;
const STRETCH = 3;

/** A job as its stream sees it: somebody who still needs the lines from `cursor` on. */
export interface StreamReader {
  readonly id: number;
  readonly start: number;
  readonly cursor: number;
  /** A replay's end: it claims nothing, and needs nothing behind it. */
  readonly end: number | null;
}

/** The blocks of one stream in one sealed span: they lie between these offsets (not every one between is there). */
export interface Stretch {
  readonly span: number;
  readonly first: number;
  readonly end: number;
}

export class StreamEntry {
  readonly id: number;
  readonly key: string;
  readonly account: string;
  /** 16 hex digits. */
  readonly epoch: string;
  /** The next offset; also the number of lines ever accepted in this epoch. */
  head = 0;
  /** Plain bytes ever accepted. */
  bytes = 0;
  lastReceivedMs = 0;
  /** Service time of the last block: from when on a stream without a job is held back. */
  lastServiceMs = 0;
  /** Offset before which nothing can be read any more: trimmed. */
  oldest = 0;
  /** Up to where it is settled by jobs that are forgotten, the buffer's own among them. */
  settledTo = 0;
  /** The latest time of reception that somebody was told an offset for: later lines are dated no earlier. */
  askedMs = 0;
  jobs: readonly StreamReader[] = [];
  /** Hours of reception: (first block's reception, its offset, plain bytes before it), oldest first. */
  #marks: number[] = [];
  /** Sealed spans that hold blocks: (span, first offset, end), by span. */
  #stretches: number[] = [];
  /** How many of the stretches, from the oldest on, no cursor needs any more. */
  released = 0;

  constructor(id: number, key: string, account: string, epoch: string) {
    this.id = id;
    this.key = key;
    this.account = account;
    this.epoch = epoch;
  }

  /** Takes lines at the head. */
  grow(lines: number, plainBytes: number, receivedMs: number): void {
    const last = this.#marks.at(-MARK);
    if (last === undefined || hourOf(last) !== hourOf(receivedMs)) {
      this.#marks.push(receivedMs, this.head, this.bytes);
    }
    this.head += lines;
    this.bytes += plainBytes;
    this.lastReceivedMs = receivedMs;
  }

  /** Where its oldest job begins: what nobody settled before is the buffer's own to end. The head when there is none. */
  claimedFrom(): number {
    let from = this.head;
    for (const job of this.jobs) {
      if (job.id >= 0 && job.end === null) from = Math.min(from, job.start);
    }
    return from;
  }

  /** The offset before which nobody needs a line any more. */
  floor(): number {
    let floor = this.head;
    for (const job of this.jobs) {
      if (job.end === null || job.cursor < job.end) floor = Math.min(floor, job.cursor);
    }
    return this.settledTo < this.claimedFrom() ? Math.min(floor, this.settledTo) : floor;
  }

  /** Forgets hours that lie wholly before `offset`. */
  forgetHoursBefore(offset: number): void {
    let drop = 0;
    while (drop + MARK < this.#marks.length && this.#marks[drop + MARK + 1]! <= offset)
      drop += MARK;
    if (drop > 0) this.#marks.splice(0, drop);
  }

  #markAt(offset: number): number {
    let low = 0;
    let high = this.#marks.length / MARK;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#marks[middle * MARK + 1]! > offset) high = middle;
      else low = middle + 1;
    }
    return Math.max(0, low - 1) * MARK;
  }

  /** The first offset whose hour is known; earlier ones were forgotten because every cursor had passed them. */
  get hoursFrom(): number {
    return this.#marks[1] ?? this.head;
  }

  /** Puts hours back that were forgotten, for a job that begins in the past. */
  remindHours(
    blocks: readonly {
      readonly receivedMs: number;
      readonly first: number;
      readonly plainBytes: number;
    }[],
  ): void {
    let before =
      (this.#marks[2] ?? this.bytes) - blocks.reduce((sum, block) => sum + block.plainBytes, 0);
    const marks: number[] = [];
    for (const block of blocks) {
      const last = marks.at(-MARK);
      if (last === undefined || hourOf(last) !== hourOf(block.receivedMs)) {
        marks.push(block.receivedMs, block.first, before);
      }
      before += block.plainBytes;
    }
    const known = this.#marks[0];
    const last = marks.at(-MARK);
    // The oldest hour that is remembered may have begun in what comes back now.
    const same = known !== undefined && last !== undefined && hourOf(known) === hourOf(last);
    this.#marks = [...marks, ...this.#marks.slice(same ? MARK : 0)];
  }

  /**
   * The hour that a line was received in: its bounds in offsets, and when it began for this stream. Offsets before the
   * oldest remembered hour count to that hour.
   */
  hourAt(offset: number): {
    readonly receivedMs: number;
    readonly from: number;
    readonly to: number;
  } {
    const at = this.#markAt(offset);
    return {
      receivedMs: this.#marks[at] ?? this.lastReceivedMs,
      from: this.#marks[at + 1] ?? 0,
      to: this.#marks[at + MARK + 1] ?? this.head,
    };
  }

  /** Plain bytes before an offset: exact at the hours' bounds, in proportion between them. */
  bytesBefore(offset: number): number {
    if (offset >= this.head) return this.bytes;
    const at = this.#markAt(offset);
    const from = this.#marks[at + 1] ?? 0;
    const before = this.#marks[at + 2] ?? 0;
    const to = this.#marks[at + MARK + 1] ?? this.head;
    const behind = this.#marks[at + MARK + 2] ?? this.bytes;
    if (offset <= from || to <= from) return before;
    return before + Math.round(((behind - before) * (offset - from)) / (to - from));
  }

  /** Notes that a span just sealed holds blocks of this stream. Known ones are left as they are. */
  addStretch(stretch: Stretch): boolean {
    const last = this.#stretches.at(-STRETCH);
    if (last !== undefined && last >= stretch.span) return false;
    this.#stretches.push(stretch.span, stretch.first, stretch.end);
    return true;
  }

  get stretchCount(): number {
    return this.#stretches.length / STRETCH;
  }

  stretchAt(index: number): Stretch {
    const at = index * STRETCH;
    return {
      span: this.#stretches[at]!,
      first: this.#stretches[at + 1]!,
      end: this.#stretches[at + 2]!,
    };
  }

  /** Whether the offset lies between the bounds of a stretch. */
  stretchHolds(index: number, offset: number): boolean {
    const at = index * STRETCH;
    return this.#stretches[at + 1]! <= offset && offset < this.#stretches[at + 2]!;
  }

  /** Drops the stretches of spans before `span`: trimmed. Returns behind which offset the last of them ended, or 0. */
  dropStretchesBefore(span: number): number {
    let drop = 0;
    let end = 0;
    while (drop < this.stretchCount && this.#stretches[drop * STRETCH]! < span) {
      end = Math.max(end, this.#stretches[drop * STRETCH + 2]!);
      drop += 1;
    }
    if (drop === 0) return 0;
    this.#stretches.splice(0, drop * STRETCH);
    this.released = Math.max(0, this.released - drop);
    return end;
  }

  /** Drops one stretch whose blocks were copied forward. Returns whether it still held the span. */
  dropStretch(span: number): boolean {
    for (let index = 0; index < this.stretchCount; index += 1) {
      if (this.#stretches[index * STRETCH] !== span) continue;
      this.#stretches.splice(index * STRETCH, STRETCH);
      if (index >= this.released) return true;
      this.released -= 1;
      return false;
    }
    return false;
  }

  /** For the checkpoint. */
  snapshot(): { readonly marks: readonly number[]; readonly stretches: readonly number[] } {
    return { marks: [...this.#marks], stretches: [...this.#stretches] };
  }

  restore(marks: readonly number[], stretches: readonly number[]): void {
    this.#marks = [...marks];
    this.#stretches = [...stretches];
  }
}
