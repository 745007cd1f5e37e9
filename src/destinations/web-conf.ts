/** The part of a `destination_conf` that all destinations which are an URL share: host, port, path, query, `header_*`. */
import { isProblem, problem, REDACTED } from './conf.ts';
import type { Conf } from './conf.ts';
import type { ConfProblem } from './destination.ts';

/** Where requests go. */
export interface WebTarget {
  readonly secure: boolean;
  readonly hostname: string;
  readonly port?: number;
  /** With the query, without parameters that have a meaning of their own. */
  readonly path: string;
  /** From `header_*`, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface WebPlace extends WebTarget {
  /** Host and port as they stand in an URL. */
  readonly host: string;
  readonly pathname: string;
  /** Parameters with a meaning of their own, by name. */
  readonly own: ReadonlyMap<string, string>;
}

const HEADER = 'header_';
const MAX_HEADERS = 32;
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Headers that frame the request or that Waybill says itself: a customer's would break the first or forge the second. */
const NOT_TO_SET = new Set([
  'host',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'idempotency-key',
]);

/** @param isOwn whether a parameter has a meaning of its own and does not stay in the URL */
export function readWebPlace(
  conf: Conf,
  secure: boolean,
  isOwn: (name: string) => boolean,
): WebPlace | readonly ConfProblem[] {
  const headers: Record<string, string> = {};
  const problems = readHeaders(conf, headers);
  const own = new Map<string, string>();
  for (const { name, value } of conf.params) {
    if (!isOwn(name)) continue;
    if (own.has(name)) problems.push(problem(name, 'is given twice'));
    own.set(name, value);
  }
  const url = readUrl(conf, secure, isOwn);
  if (isProblem(url)) problems.push(url);
  if (isProblem(url) || problems.length > 0) return problems;
  return {
    secure,
    hostname: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    path: `${url.pathname}${url.search}`,
    headers,
    host: url.host,
    pathname: url.pathname,
    own,
  };
}

function readUrl(conf: Conf, secure: boolean, isOwn: (name: string) => boolean): URL | ConfProblem {
  const kept = conf.params
    .filter(({ name }) => !name.startsWith(HEADER) && !isOwn(name))
    .map(({ raw }) => raw);
  const query = kept.length > 0 ? `?${kept.join('&')}` : '';
  // The URL parser would take the first part of the path for the host.
  if (/^[/\\]|^$/.test(conf.place)) return problem('destination_conf', 'has no host');
  let url: URL;
  try {
    url = new URL(`${secure ? 'https' : 'http'}://${conf.place}${query}`);
  } catch {
    return problem('destination_conf', 'the host or port cannot be read');
  }
  if (url.username !== '' || url.password !== '' || conf.place.split('/', 1)[0]?.includes('@')) {
    return problem(
      'destination_conf',
      'must not hold a user name or password: use header_Authorization=Basic%20<base64>',
    );
  }
  return url;
}

function readHeaders(conf: Conf, headers: Record<string, string>): ConfProblem[] {
  const problems: ConfProblem[] = [];
  for (const { name, value } of conf.params) {
    if (!name.startsWith(HEADER)) continue;
    const header = name.slice(HEADER.length).toLowerCase();
    if (!TOKEN.test(header)) problems.push(problem(name, 'is not the name of an HTTP header'));
    else if (isNotToSet(header)) problems.push(problem(name, 'is set by Waybill itself'));
    else if (Object.hasOwn(headers, header)) problems.push(problem(name, 'is given twice'));
    else if (!/^[\t\x20-\x7e]*$/.test(value)) {
      problems.push(problem(name, 'must hold visible ASCII characters only (no line breaks)'));
    } else headers[header] = value.trim();
  }
  if (Object.keys(headers).length > MAX_HEADERS) {
    problems.push(problem('header_*', `at most ${MAX_HEADERS} headers can be set`));
  }
  return problems;
}

function isNotToSet(header: string): boolean {
  return (
    NOT_TO_SET.has(header) ||
    header.startsWith('proxy-') ||
    header.startsWith('waybill-') ||
    header.startsWith('webhook-')
  );
}

/** Hides parts of a path that look like a password, as in webhook addresses: long, with letters and digits mixed. */
export function withoutTokens(path: string): string {
  return path
    .split('/')
    .map((part, index) => {
      const looksRandom = part.length >= 16 && /\d/.test(part) && /[A-Za-z]/.test(part);
      return index > 0 && looksRandom ? REDACTED : part;
    })
    .join('/');
}
