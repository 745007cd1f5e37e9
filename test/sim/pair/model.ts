/**
 * What the outside knows of two shards: per stream what each place holds, as far as anybody was ever shown it, and of each line
 * whether it may be stored at all.
 */
import assert from 'node:assert/strict';

/** The lines of one stream in one body. */
export interface Part {
  readonly stream: string;
  readonly lines: readonly string[];
  /** Lines that are not good enough to be stored; they are kept apart, or nothing of the part is taken. */
  readonly bad: readonly string[];
  /** How often it was sent so that it may have been stored. */
  mayBeStored: number;
  /** Where it stands, once that was answered. */
  at: { readonly epoch: string; readonly from: number } | undefined;
  /** Whether an answer said that it was stored just then. */
  isStored: boolean;
}

class PlaceBook {
  readonly lines = new Map<number, string>();
  readonly placeOf = new Map<string, number>();
  epoch: string | undefined;
  /** Behind the last line that was answered as accepted. */
  acceptedTo = 0;
}

export class PairModel {
  readonly #books = new Map<string, PlaceBook>();
  /** By line. */
  readonly #parts = new Map<string, Part>();
  /** Lines that were kept apart. */
  readonly kept = new Set<string>();

  offer(stream: string, lines: readonly string[], bad: readonly string[]): Part {
    const part: Part = { stream, lines, bad, mayBeStored: 0, at: undefined, isStored: false };
    for (const line of lines) this.#parts.set(line, part);
    return part;
  }

  #book(stream: string): PlaceBook {
    let book = this.#books.get(stream);
    if (book === undefined) this.#books.set(stream, (book = new PlaceBook()));
    return book;
  }

  get streams(): Iterable<string> {
    return this.#books.keys();
  }

  acceptedTo(stream: string): number {
    return this.#book(stream).acceptedTo;
  }

  /**
   * A part was answered as accepted.
   *
   * @param sentBehind where accepted lines of the stream ended when it was sent
   */
  accepted(
    part: Part,
    answer: { readonly epoch: string; readonly from: number; readonly to: number },
    isRepeat: boolean,
    sentBehind: number,
  ): void {
    const { lines, stream } = part;
    const { epoch, from, to } = answer;
    assert.equal(to - from, lines.length, `${stream}: an answer names a place for each line`);
    // The answer to a repeat may be there before that to the request itself.
    if (part.at) assert.deepEqual({ epoch, from }, part.at, 'a repeat names the same place');
    if (!isRepeat) {
      assert.ok(!part.isStored, `${stream} ${from}: the same request is stored once`);
      assert.ok(from >= sentBehind, `${stream}: what is sent later stands later`);
      part.isStored = true;
    }
    part.at = { epoch, from };
    this.saw(stream, epoch, from, lines);
    const book = this.#book(stream);
    book.acceptedTo = Math.max(book.acceptedTo, to);
  }

  /** These lines stand there: an answer, a reader or a destination says so. From then on they stay. */
  saw(stream: string, epoch: string, from: number, lines: readonly string[]): void {
    const book = this.#book(stream);
    book.epoch ??= epoch;
    assert.equal(epoch, book.epoch, `${stream} goes on in its epoch`);
    for (const [index, line] of lines.entries()) {
      const at = from + index;
      const known = book.lines.get(at);
      if (known !== undefined) {
        assert.equal(line, known, `${stream} line ${at} stays what it was`);
        continue;
      }
      const part = this.#parts.get(line);
      assert.ok(part, `${stream} line ${at} was sent by somebody: ${line.slice(0, 80)}`);
      assert.equal(part.stream, stream, `${stream} line ${at} belongs there`);
      assert.ok(part.mayBeStored > 0, `${stream} line ${at} was told not to be stored`);
      const twice = book.placeOf.get(line);
      assert.equal(twice, undefined, `${stream}: a line stands at ${twice} and at ${at}`);
      book.lines.set(at, line);
      book.placeOf.set(line, at);
      this.#inOrder(book, part, at - part.lines.indexOf(line));
    }
  }

  /** What came together stands together, in its order. */
  #inOrder(book: PlaceBook, part: Part, from: number): void {
    for (const [index, line] of part.lines.entries()) {
      const known = book.lines.get(from + index);
      assert.ok(known === undefined || known === line, `${part.stream}: lines keep their order`);
      const place = book.placeOf.get(line);
      assert.ok(place === undefined || place === from + index, `${part.stream}: in one piece`);
    }
  }

  /** All lines up to the head have been shown to somebody. */
  assertWhole(stream: string, head: number): void {
    const book = this.#book(stream);
    assert.ok(head >= book.acceptedTo, `I1: ${stream} has all lines that were accepted`);
    for (let at = 0; at < head; at += 1) {
      assert.ok(book.lines.has(at), `${stream} line ${at} of ${head} was seen by somebody`);
    }
  }

  /** A stream as it is read: nothing that was ever shown may be missing at its end. */
  assertHead(stream: string, head: number): void {
    const book = this.#book(stream);
    assert.ok(
      head >= book.acceptedTo,
      `I1: ${stream} ends at ${head}, ${book.acceptedTo} accepted`,
    );
    for (const at of book.lines.keys()) {
      assert.ok(at < head, `${stream} line ${at} was seen and is there (head ${head})`);
    }
  }
}
