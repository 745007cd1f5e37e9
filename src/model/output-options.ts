/**
 * Logpush's `output_options`, and `logpull_options` in their deprecated form: checked when a job is made, kept as the
 * customer set them. What each means: `docs/reference/output-options.md`.
 */
import { fieldType, unknownField } from './dataset-fields.ts';
import { limits } from './limits.ts';
import { parseRecordTemplate } from './record-template.ts';
import { TIMESTAMP_FORMATS } from '../lib/timestamp.ts';
import type { DatasetConfig, OutputOptions } from './snapshot.ts';

export type ParsedOutputOptions =
  | { readonly kind: 'none' }
  /** Only what was set; options that were null are left out. */
  | { readonly kind: 'options'; readonly options: OutputOptions }
  | {
      readonly kind: 'invalid';
      /** The option, and the place in it: `field_names[3]`; empty for the whole. */
      readonly path: string;
      readonly message: string;
    };

type Bounds = {
  readonly recordTextBytes: number;
  readonly batchTextBytes: number;
  readonly templateRepeats: number;
};

type Complaint = { readonly path: string; readonly message: string };
type Check = (
  value: unknown,
  name: string,
  dataset: DatasetConfig | undefined,
) => Complaint | undefined;

const isText: Check = (value, path) =>
  typeof value !== 'string'
    ? { path, message: 'must be a string' }
    : value.isWellFormed()
      ? undefined
      : { path, message: 'holds half of a surrogate pair' };

const isOneOf =
  (among: readonly string[]): Check =>
  (value, path) =>
    typeof value === 'string' && among.includes(value)
      ? undefined
      : { path, message: `must be one of ${among.join(', ')}` };

const isSwitch: Check = (value, path) =>
  typeof value === 'boolean' ? undefined : { path, message: 'must be true or false' };

const isNotOffered: Check = (value, path) =>
  value === false
    ? undefined
    : { path, message: 'is not offered here; leave it out or set it to false' };

const isRate: Check = (value, path) =>
  typeof value === 'number' && value > 0 && value <= 1
    ? undefined
    : { path, message: 'must be a number above 0, at most 1' };

const areFieldNames: Check = (value, path, dataset) => {
  if (!Array.isArray(value)) return { path, message: 'must be an array of field names' };
  if (value.length === 0) {
    return { path, message: 'must name at least one field; leave it out to get all fields' };
  }
  const seen = new Set<unknown>();
  for (const [index, name] of value.entries()) {
    const at = `${path}[${index}]`;
    if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
      return { path: at, message: 'must be the name of a field' };
    }
    if (seen.has(name)) return { path: at, message: `${JSON.stringify(name)} stands twice` };
    seen.add(name);
    if (fieldType(dataset, name) === undefined)
      return { path: at, message: unknownField(dataset, name) };
  }
  return undefined;
};

const isTemplate: Check = (value, path) => {
  const wrong = isText(value, path, undefined);
  if (wrong) return wrong;
  const parsed = parseRecordTemplate(value as string);
  return parsed.kind === 'invalid'
    ? { path, message: `at ${parsed.at}: ${parsed.message}` }
    : undefined;
};

const CHECKS: Readonly<Record<keyof OutputOptions, Check>> = {
  output_type: isOneOf(['ndjson', 'csv']),
  field_names: areFieldNames,
  timestamp_format: isOneOf(TIMESTAMP_FORMATS),
  sample_rate: isRate,
  batch_prefix: isText,
  batch_suffix: isText,
  record_prefix: isText,
  record_suffix: isText,
  record_delimiter: isText,
  field_delimiter: isText,
  record_template: isTemplate,
  'CVE-2021-44228': isSwitch,
  merge_subrequests: isNotOffered,
  stringify_object: isNotOffered,
};

/**
 * Checks output options as the API got them.
 *
 * @param value the JSON value; null and undefined mean that there are none, and so does null for a single option
 */
export function parseOutputOptions(
  value: unknown,
  dataset: DatasetConfig | undefined,
  bounds: Bounds = limits.control,
): ParsedOutputOptions {
  if (value === null || value === undefined) return { kind: 'none' };
  if (typeof value !== 'object' || Array.isArray(value)) return invalid('', 'must be an object');
  const set: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(value)) {
    if (!Object.hasOwn(CHECKS, name)) {
      return invalid(name, `is not known; options are ${Object.keys(CHECKS).join(', ')}`);
    }
    if (option === null || option === undefined) continue;
    const wrong = CHECKS[name as keyof OutputOptions](option, name, dataset);
    if (wrong) return invalid(wrong.path, wrong.message);
    set[name] = option;
  }
  if (Object.keys(set).length === 0) return { kind: 'none' };
  const options = set as OutputOptions;
  const tooMuch = measure(options, bounds) ?? splitDollar(options);
  return tooMuch ? invalid(tooMuch.path, tooMuch.message) : { kind: 'options', options };
}

function invalid(path: string, message: string): ParsedOutputOptions {
  return { kind: 'invalid', path, message };
}

/** What the options add by themselves, so that output stays in proportion to the lines that go in (I5). */
function measure(options: OutputOptions, bounds: Bounds): Complaint | undefined {
  const size = (text: string | undefined): number => Buffer.byteLength(text ?? '');
  for (const name of ['batch_prefix', 'batch_suffix'] as const) {
    if (size(options[name]) > bounds.batchTextBytes) {
      return { path: name, message: `is longer than ${bounds.batchTextBytes} bytes` };
    }
  }
  const names = options.field_names ?? [];
  // A field's name with its quotes and colon, and `null` where it is missing.
  const perField = size(options.field_delimiter ?? ',') + 7;
  const text =
    size(options.record_prefix) +
    size(options.record_suffix) +
    size(options.record_delimiter) +
    size(options.record_template) +
    names.reduce((sum, name) => sum + size(name) + perField, 0);
  if (text > bounds.recordTextBytes) {
    const what = 'names, delimiters, prefix, suffix and template';
    return {
      path: '',
      message: `put ${text} bytes of ${what} into each record; at most ${bounds.recordTextBytes} are allowed`,
    };
  }
  // Without names the number of delimiters is the line's own: as many as its bytes allow.
  if (names.length === 0 && size(options.field_delimiter) > 16) {
    return {
      path: 'field_delimiter',
      message: 'may be longer than 16 bytes only together with field_names',
    };
  }
  return repeats(options.record_template ?? '', bounds.templateRepeats);
}

/**
 * A `$` that ends one text may meet a `{` that begins the next, in bytes that are written at different times: refused, so
 * that with CVE-2021-44228 no `${` can come about.
 */
function splitDollar(options: OutputOptions): Complaint | undefined {
  if (options['CVE-2021-44228'] !== true) return undefined;
  for (const name of ['batch_prefix', 'record_suffix', 'record_template'] as const) {
    if (options[name]?.endsWith('$')) {
      return { path: name, message: 'may not end with $ while CVE-2021-44228 is on' };
    }
  }
  return undefined;
}

function repeats(template: string, most: number): Complaint | undefined {
  const parsed = parseRecordTemplate(template);
  const counts = new Map<string, number>();
  for (const part of parsed.kind === 'template' ? parsed.parts : []) {
    if (part.kind === 'text') continue;
    const count = (counts.get(part.name) ?? 0) + 1;
    counts.set(part.name, count);
    if (count > most) {
      return { path: 'record_template', message: `names ${part.name} more than ${most} times` };
    }
  }
  return undefined;
}

/**
 * Reads the deprecated `logpull_options`: a query string, or a whole URL with one, with `fields`, `timestamps`, `sample`
 * and `CVE-2021-44228`.
 */
export function parseLogpullOptions(
  text: string,
  dataset?: DatasetConfig,
  bounds: Bounds = limits.control,
): ParsedOutputOptions {
  const query = text
    .trim()
    .replace(/^[a-z]+:\/\/[^?]*/i, '')
    .replace(/^\?/, '')
    .replace(/#.*$/s, '');
  const options: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (value === '') continue;
    switch (name) {
      case 'fields':
        options['field_names'] = value.split(',');
        break;
      case 'timestamps':
        if (!['unixnano', 'unix', 'rfc3339'].includes(value)) {
          return invalid(name, 'must be one of unixnano, unix, rfc3339');
        }
        options['timestamp_format'] = value;
        break;
      case 'sample':
        if (!/^(?:0?\.\d+|0|1|1\.0+)$/.test(value))
          return invalid(name, 'must be a number above 0, at most 1');
        options['sample_rate'] = Number(value);
        break;
      case 'CVE-2021-44228':
        if (value !== 'true' && value !== 'false') return invalid(name, 'must be true or false');
        options[name] = value === 'true';
        break;
      default:
        return invalid(
          name,
          'is not known; options are fields, timestamps, sample, CVE-2021-44228',
        );
    }
  }
  const parsed = parseOutputOptions(options, dataset, bounds);
  return parsed.kind === 'invalid' ? { ...parsed, path: asLogpull(parsed.path) } : parsed;
}

function asLogpull(path: string): string {
  return path.replace(/^field_names/, 'fields').replace(/^sample_rate/, 'sample');
}
