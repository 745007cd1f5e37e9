/** `destination_conf` as text: `<scheme>://<place>[?<params>]`. What every island needs to read, redact and name one. */
import { hash } from 'node:crypto';
import type { ConfProblem, ParsedDestination } from './destination.ts';

interface ConfParam {
  /** As it stands in the text. */
  readonly raw: string;
  /** Decoded as forms are: `%20` and `+` are spaces. */
  readonly name: string;
  readonly value: string;
}

export interface Conf {
  readonly scheme: string;
  /** Between `://` and `?`, as it stands in the text. */
  readonly place: string;
  readonly params: readonly ConfParam[];
}

/** Reads the outer form, which is the same for all destinations. */
export function readConf(text: string): Conf | ConfProblem {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^?]*)(?:\?(.*))?$/.exec(text);
  if (!match) {
    return problem('destination_conf', 'must have the form <scheme>://<address>[?<parameters>]');
  }
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\u0000-\u0020\u007f]/.test(text)) {
    return problem(
      'destination_conf',
      'must not hold spaces or control characters: write a space as %20',
    );
  }
  if (text.includes('#')) return problem('destination_conf', 'must not hold `#`: write it as %23');
  const params: ConfParam[] = [];
  for (const raw of (match[3] ?? '').split('&')) {
    if (raw === '') continue;
    const [name = '', ...value] = raw.split('=');
    try {
      params.push({ raw, name: decode(name), value: decode(value.join('=')) });
    } catch {
      return problem(
        name,
        'holds a `%` that is not followed by two hex digits of a UTF-8 character',
      );
    }
  }
  return { scheme: (match[1] ?? '').toLowerCase(), place: match[2] ?? '', params };
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}

export function problem(setting: string, message: string): ConfProblem {
  return { setting, message };
}

export function isProblem<T extends object>(value: T | ConfProblem): value is ConfProblem {
  return 'setting' in value && 'message' in value;
}

const SECRET_NAME = /^header_|key|secret|token|passw|pwd|auth|credential|signature|^sig$|code$/i;
/** Names that look secret and are not: they are needed to tell two settings apart. */
const PUBLIC_NAMES = new Set(['access-key-id', 'record-key']);

/** Whether a parameter's value must never be shown. Errs on the side of hiding. */
function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !PUBLIC_NAMES.has(name.toLowerCase());
}

/** What may leave the island: an island's own settings hold secrets. */
export function publicPart(settings: ParsedDestination): ParsedDestination {
  const { scheme, address, redacted, fingerprint: place, framing, encoding } = settings;
  return {
    scheme,
    address,
    redacted,
    fingerprint: place,
    ...(framing === undefined ? {} : { framing }),
    ...(encoding === undefined ? {} : { encoding }),
  };
}

export const REDACTED = '***';

/** The conf with each secret replaced by `***` and everything else as it was. */
export function redact(conf: Conf, place = conf.place): string {
  const params = conf.params.map(({ raw, name }) =>
    isSecretName(name) ? `${raw.split('=', 1)[0] ?? ''}=${REDACTED}` : raw,
  );
  const query = params.length > 0 ? `?${params.join('&')}` : '';
  return `${conf.scheme}://${place}${query}`;
}

/** Short hash of what identifies a place, for waybills: the same for two jobs that write to the same place. */
export function fingerprint(...parts: readonly string[]): string {
  return hash('sha256', parts.join('\n')).slice(0, 16);
}

/**
 * Fills `{DATE}` in a path with the UTC day of a batch's first reception as `YYYYMMDD` (Logpush's only template). A batch
 * never spans a UTC hour, so there is one day.
 */
export function withDate(path: string, firstReceivedMs: number): string {
  const day = new Date(firstReceivedMs).toISOString().slice(0, 10).replaceAll('-', '');
  return path.replaceAll('{DATE}', day);
}

/** Finds parameters that a destination does not know, or that come twice. */
export function unknownParams(conf: Conf, known: readonly string[]): ConfProblem[] {
  const problems: ConfProblem[] = [];
  const seen = new Set<string>();
  for (const { name } of conf.params) {
    if (!known.includes(name)) {
      problems.push(problem(name, `is not known here. Known: ${known.join(', ') || 'none'}`));
    } else if (seen.has(name)) {
      problems.push(problem(name, 'is given twice'));
    }
    seen.add(name);
  }
  return problems;
}
