/** Makes of a block's lines what the job asks for: judge, sample, write. */
import { assert } from '../../lib/assert.ts';
import type { Range } from '../../model/delivery.ts';
import type { ContentEncoder, ContentRecipe, EncodedPiece } from './contract.ts';
import { defuseBytes } from './form.ts';
import { FALSE, MALFORMED } from './judge.ts';
import type { Judge } from './judge.ts';
import type { LineScanner } from './line.ts';
import { Output } from './output.ts';
import type { Text } from './output.ts';
import type { RecordWriter } from './record.ts';
import type { Sampler } from './sample.ts';
import { viewOf } from './words.ts';

const NEWLINE = 0x0a;

/** The parts of an encoder; a part that the job does not need is absent, and costs nothing. */
export interface EncoderParts {
  readonly recipe: ContentRecipe;
  readonly contentType: string;
  readonly prefix: Buffer;
  readonly suffix: Buffer;
  /** Absent: lines are not looked into. */
  readonly scanner: LineScanner | undefined;
  readonly judge: Judge | undefined;
  readonly sampler: Sampler | undefined;
  /** Absent: a record is the line as it came. */
  readonly record:
    | { readonly prefix: Text; readonly write: RecordWriter; readonly suffix: Text }
    | undefined;
  readonly delimiter: Text | undefined;
  /** CVE-2021-44228. */
  readonly isDefused: boolean;
}

/** What becomes of one line. */
const WRITTEN = 0;
const FILTERED = 1;
const UNSAMPLED = 2;
const BROKEN = 3;
type Fate = typeof WRITTEN | typeof FILTERED | typeof UNSAMPLED | typeof BROKEN;

/** Shared by all encoders of a thread: scratch of one synchronous call. */
const scratch = new Output(256 * 1024);

export class LineEncoder implements ContentEncoder {
  readonly recipe: ContentRecipe;
  readonly contentType: string;
  readonly prefix: Buffer;
  readonly suffix: Buffer;
  readonly #parts: EncoderParts;

  constructor(parts: EncoderParts) {
    this.#parts = parts;
    this.recipe = parts.recipe;
    this.contentType = parts.contentType;
    this.prefix = parts.prefix;
    this.suffix = parts.suffix;
  }

  encode(plain: Buffer, first: number, range: Range, afterRecord: boolean): EncodedPiece {
    assert(range.from >= first, 'a range to encode begins in its block');
    const out = scratch;
    out.clear();
    const view = viewOf(plain);
    const malformed: number[] = [];
    let lines = 0;
    let filter = 0;
    let sample = 0;
    let start = 0;
    for (let offset = first; offset < range.to; offset++) {
      const end = plain.indexOf(NEWLINE, start);
      assert(end >= 0, 'a block holds the lines that its header counts');
      if (offset >= range.from) {
        const isFirst = lines === 0 && !afterRecord;
        const fate = this.#encodeLine(out, plain, view, start, end, offset, isFirst);
        if (fate === WRITTEN) lines++;
        else if (fate === FILTERED) filter++;
        else if (fate === UNSAMPLED) sample++;
        else malformed.push(offset);
      }
      start = end + 1;
    }
    if (this.#parts.isDefused) defuseBytes(out.bytes, out.length);
    const excluded = { ...(filter > 0 && { filter }), ...(sample > 0 && { sample }) };
    return { bytes: out.take(), lines, excluded, malformed };
  }

  #encodeLine(
    out: Output,
    bytes: Buffer,
    view: DataView,
    start: number,
    end: number,
    offset: number,
    isFirst: boolean,
  ): Fate {
    const { scanner, judge, sampler, record, delimiter } = this.#parts;
    if (judge === undefined && sampler !== undefined && !sampler.takes(offset)) return UNSAMPLED;
    if (scanner !== undefined && !scanner.scan(bytes, view, start, end)) return BROKEN;
    if (judge !== undefined) {
      const verdict = judge(bytes, view);
      if (verdict === MALFORMED) return BROKEN;
      if (verdict === FALSE) return FILTERED;
      if (sampler !== undefined && !sampler.takes(offset)) return UNSAMPLED;
    }
    const mark = out.length;
    if (delimiter !== undefined && !isFirst) out.putText(delimiter);
    if (record === undefined) {
      out.put(bytes, view, start, end + 1);
      return WRITTEN;
    }
    out.putText(record.prefix);
    if (!record.write(out, bytes, view)) {
      out.length = mark;
      return BROKEN;
    }
    out.putText(record.suffix);
    return WRITTEN;
  }
}
