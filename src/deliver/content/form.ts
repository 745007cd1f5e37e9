/** Output options with their defaults filled in, and what follows from them. Meaning: `docs/reference/output-options.md`. */
import { assert } from '../../lib/assert.ts';
import type { TimestampFormat } from '../../lib/timestamp.ts';
import { parseRecordTemplate } from '../../model/record-template.ts';
import type { TemplatePart } from '../../model/record-template.ts';
import type { OutputOptions } from '../../model/snapshot.ts';

export interface Form {
  readonly type: 'ndjson' | 'csv';
  /** Undefined: all fields, in the line's own order. */
  readonly names: readonly string[] | undefined;
  /** Undefined: times stay as they came. */
  readonly timestampFormat: TimestampFormat | undefined;
  readonly sampleRate: number;
  readonly batchPrefix: string;
  readonly batchSuffix: string;
  readonly recordPrefix: string;
  readonly recordSuffix: string;
  readonly recordDelimiter: string;
  readonly fieldDelimiter: string;
  readonly template: readonly TemplatePart[] | undefined;
  /** CVE-2021-44228: `${` becomes `x{`. */
  readonly isDefused: boolean;
}

const DEFAULTS = {
  ndjson: { recordPrefix: '{', recordSuffix: '}\n' },
  csv: { recordPrefix: '', recordSuffix: '\n' },
} as const;

export function formOf(options: OutputOptions | null): Form {
  const type = options?.output_type ?? 'ndjson';
  return {
    type,
    names: options?.field_names,
    timestampFormat: options?.timestamp_format,
    sampleRate: options?.sample_rate ?? 1,
    batchPrefix: options?.batch_prefix ?? '',
    batchSuffix: options?.batch_suffix ?? '',
    recordPrefix: options?.record_prefix ?? DEFAULTS[type].recordPrefix,
    recordSuffix: options?.record_suffix ?? DEFAULTS[type].recordSuffix,
    recordDelimiter: options?.record_delimiter ?? '',
    fieldDelimiter: options?.field_delimiter ?? ',',
    template: templateOf(options?.record_template ?? ''),
    isDefused: options?.['CVE-2021-44228'] ?? false,
  };
}

function templateOf(text: string): readonly TemplatePart[] | undefined {
  if (text === '') return undefined;
  const parsed = parseRecordTemplate(text);
  assert(parsed.kind === 'template', 'a stored template has been parsed before');
  return parsed.parts;
}

/** Whether a record is the line itself, byte for byte, and its newline. */
export function isVerbatim(form: Form): boolean {
  return (
    form.type === 'ndjson' &&
    form.names === undefined &&
    form.timestampFormat === undefined &&
    form.template === undefined &&
    form.recordPrefix === DEFAULTS.ndjson.recordPrefix &&
    form.recordSuffix === DEFAULTS.ndjson.recordSuffix &&
    form.fieldDelimiter === ','
  );
}

/** Whether records stand in a larger text that one malformed line would spoil. */
export function isDocument(form: Form): boolean {
  return form.batchPrefix !== '' || form.batchSuffix !== '' || form.recordDelimiter !== '';
}

/** What the bytes are, for destinations that say so. */
export function contentTypeOf(form: Form): string {
  if (form.template !== undefined) return 'text/plain; charset=utf-8';
  if (form.type === 'csv') return 'text/csv; charset=utf-8';
  return isVerbatim({ ...form, names: undefined, timestampFormat: undefined }) && !isDocument(form)
    ? 'application/x-ndjson'
    : 'text/plain; charset=utf-8';
}

/** The text with `${` written as `x{`, when the form asks for it. */
export function defuse(form: Form, text: string): string {
  return form.isDefused ? text.replaceAll('${', 'x{') : text;
}

const DOLLAR = 0x24;
const OPEN_BRACE = 0x7b;

/** The same in place, on the first `length` bytes. */
export function defuseBytes(bytes: Buffer, length: number): void {
  let index = bytes.subarray(0, length).indexOf('${');
  if (index < 0) return;
  for (; index < length - 1; index++) {
    if (bytes[index] === DOLLAR && bytes[index + 1] === OPEN_BRACE) bytes[index] = 0x78;
  }
}
