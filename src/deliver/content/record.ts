/**
 * Writes the inside of a record, between record prefix and suffix: the fields asked for, or all of them, as NDJSON or CSV,
 * or what a template makes of them. A value that is not asked to change is copied as its bytes stand.
 */
import { assert } from '../../lib/assert.ts';
import { TIMESTAMP_BYTES } from '../../lib/timestamp.ts';
import type { TimestampFormat } from '../../lib/timestamp.ts';
import type { TemplatePart } from '../../model/record-template.ts';
import { defuse } from './form.ts';
import type { Form } from './form.ts';
import { FIELD_STRIDE, KIND } from './line.ts';
import type { Kind, LineScanner } from './line.ts';
import { copyText, textOf } from './output.ts';
import type { Output, Text } from './output.ts';
import { putCell, putTimestamp } from './put-value.ts';
import { copyRun } from './words.ts';

/**
 * Writes the line that the scanner has just scanned.
 *
 * @returns false when a value that had to be looked into is malformed; what was written is then to be undone
 */
export type RecordWriter = (into: Output, bytes: Buffer, view: DataView) => boolean;

/** How a writer finds its fields. */
export interface FieldSource {
  readonly scanner: LineScanner;
  readonly slotOf: (name: string) => number;
  readonly isTimestamp: (name: string) => boolean;
}

/** The fields that must have a slot. */
export function recordKeys(form: Form): readonly string[] {
  const names = form.names ?? [];
  if (form.template === undefined) return names;
  return form.template.flatMap((part) =>
    part.kind === 'field' && isOffered(form, part) ? [part.name] : [],
  );
}

function isOffered(form: Form, part: TemplatePart): boolean {
  return part.kind === 'field' && (form.names === undefined || form.names.includes(part.name));
}

export function compileRecord(form: Form, source: FieldSource): RecordWriter {
  if (form.template !== undefined)
    return compilePieces(templatePieces(form, source), source.scanner);
  if (form.names !== undefined) {
    const pieces = namedPieces(form, form.names, source);
    return form.type === 'csv'
      ? compileCells(pieces, source.scanner)
      : compilePieces(pieces, source.scanner);
  }
  return form.type === 'csv' ? compileAllCells(form, source) : compileAll(form, source);
}

/** Fixed text, then a field's value. */
interface Piece {
  readonly before: Text;
  /** -1: no field. */
  readonly slot: number;
  /** Set for a field that holds a time, when times are to be written in a certain form. */
  readonly format: TimestampFormat | undefined;
}

function pieceOf(form: Form, source: FieldSource, before: string, name: string): Piece {
  return {
    before: textOf(defuse(form, before)),
    slot: source.slotOf(name),
    format: source.isTimestamp(name) ? form.timestampFormat : undefined,
  };
}

function namedPieces(form: Form, names: readonly string[], source: FieldSource): Piece[] {
  return names.map((name, index) => {
    const delimiter = index === 0 ? '' : form.fieldDelimiter;
    const label = form.type === 'csv' ? '' : `${JSON.stringify(name)}:`;
    return pieceOf(form, source, delimiter + label, name);
  });
}

function templatePieces(form: Form, source: FieldSource): Piece[] {
  const pieces: Piece[] = [];
  let before = '';
  for (const part of form.template ?? []) {
    if (part.kind === 'text') before += part.text;
    else if (!isOffered(form, part)) before += 'null';
    else {
      pieces.push(pieceOf(form, source, before, part.name));
      before = '';
    }
  }
  return [...pieces, { before: textOf(defuse(form, before)), slot: -1, format: undefined }];
}

const NULL = textOf('null');
/** Room for what stands in for a value: `null`, or a time in its longest form with its quotes. */
const PIECE_BYTES = TIMESTAMP_BYTES + 2;

/**
 * Values as JSON: NDJSON with field names, and templates. A field that the line lacks is `null`. What most jobs run through:
 * room is made once per record, and copied into from here.
 */
function compilePieces(pieces: readonly Piece[], scanner: LineScanner): RecordWriter {
  const { starts, ends, kinds } = scanner;
  const ownBytes = pieces.reduce((sum, piece) => sum + piece.before.length + PIECE_BYTES, 0);
  return (into, bytes, view) => {
    let room = ownBytes;
    for (let index = 0; index < pieces.length; index++) {
      const slot = pieces[index]!.slot;
      if (slot >= 0 && kinds[slot] !== KIND.none) room += ends[slot]! - starts[slot]!;
    }
    into.reserve(room);
    const { bytes: target, view: targetView } = into;
    let at = into.length;
    for (let index = 0; index < pieces.length; index++) {
      const { before, slot, format } = pieces[index]!;
      at = copyText(before, targetView, at);
      if (slot < 0) continue;
      const kind = kinds[slot] as Kind;
      if (kind === KIND.none) {
        at = copyText(NULL, targetView, at);
        continue;
      }
      const start = starts[slot]!;
      const end = ends[slot]!;
      if (format !== undefined) {
        into.length = at;
        const isTime = putTimestamp(into, bytes, start, end, kind, format);
        assert(into.bytes === target, 'room was made for the whole record');
        at = into.length;
        if (isTime) continue;
      }
      at = copyRun(bytes, view, start, end, target, targetView, at);
    }
    into.length = at;
    return true;
  };
}

/** CSV with field names. */
function compileCells(pieces: readonly Piece[], scanner: LineScanner): RecordWriter {
  const { starts, ends, kinds } = scanner;
  return (into, bytes, view) => {
    for (let index = 0; index < pieces.length; index++) {
      const { before, slot, format } = pieces[index]!;
      into.putText(before);
      const kind = kinds[slot] as Kind;
      const start = starts[slot]!;
      const end = ends[slot]!;
      if (format !== undefined && putTimestamp(into, bytes, start, end, kind, format)) continue;
      if (!putCell(into, bytes, view, start, end, kind)) return false;
    }
    return true;
  };
}

/** All fields as NDJSON: what lies between them is copied along, unless the delimiter is another one. */
function compileAll(form: Form, { scanner }: FieldSource): RecordWriter {
  const delimiter =
    form.fieldDelimiter === ',' ? undefined : textOf(defuse(form, form.fieldDelimiter));
  const format = form.timestampFormat;
  return (into, bytes, view) => {
    const { fields, fieldCount } = scanner;
    if (fieldCount === 0) return true;
    let copied = fields[0]!;
    let end = copied;
    for (let at = 0; at < fieldCount * FIELD_STRIDE; at += FIELD_STRIDE) {
      if (delimiter !== undefined && at > 0) {
        into.put(bytes, view, copied, end);
        into.putText(delimiter);
        copied = fields[at]!;
      }
      end = fields[at + 2]!;
      if (format === undefined || fields[at + 4] === 0) continue;
      const start = fields[at + 1]!;
      into.put(bytes, view, copied, start);
      copied = putTimestamp(into, bytes, start, end, fields[at + 3] as Kind, format) ? end : start;
    }
    into.put(bytes, view, copied, end);
    return true;
  };
}

/** All fields as CSV: their values, in the line's own order. */
function compileAllCells(form: Form, { scanner }: FieldSource): RecordWriter {
  const delimiter = textOf(defuse(form, form.fieldDelimiter));
  const format = form.timestampFormat;
  return (into, bytes, view) => {
    const { fields, fieldCount } = scanner;
    for (let at = 0; at < fieldCount * FIELD_STRIDE; at += FIELD_STRIDE) {
      if (at > 0) into.putText(delimiter);
      const start = fields[at + 1]!;
      const end = fields[at + 2]!;
      const kind = fields[at + 3] as Kind;
      const isTime = format !== undefined && fields[at + 4] === 1;
      if (isTime && putTimestamp(into, bytes, start, end, kind, format)) continue;
      if (!putCell(into, bytes, view, start, end, kind)) return false;
    }
    return true;
  };
}
