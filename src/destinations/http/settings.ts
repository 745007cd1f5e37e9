/** `https://host[:port]/path?header_Authorization=Basic%20X&other=thing` (Logpush's form). */
import { fingerprint, isProblem, problem, readConf, redact, REDACTED } from '../conf.ts';
import type { Conf } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';

export interface HttpSettings extends ParsedDestination {
  readonly secure: boolean;
  readonly hostname: string;
  readonly port?: number;
  /** With the query, without `header_*` parameters. */
  readonly path: string;
  /** From `header_*`, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
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

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): HttpSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  if (conf.scheme === 'http' && !policy.allowHttp) {
    return [problem('destination_conf', 'http:// is not allowed here: use https://')];
  }
  const headers: Record<string, string> = {};
  const problems = readHeaders(conf, headers);
  const url = readUrl(conf);
  if (isProblem(url)) problems.push(url);
  if (isProblem(url) || problems.length > 0) return problems;
  const place = `${url.host}${withoutTokens(url.pathname)}`;
  return {
    scheme: conf.scheme,
    address: `${conf.scheme}://${place}`,
    redacted: redact(conf, withoutTokens(conf.place)),
    fingerprint: fingerprint(conf.scheme, url.host, '', url.pathname),
    secure: conf.scheme === 'https',
    hostname: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    path: `${url.pathname}${url.search}`,
    headers,
  };
}

function readUrl(conf: Conf): URL | ConfProblem {
  const kept = conf.params.filter(({ name }) => !name.startsWith(HEADER)).map(({ raw }) => raw);
  const query = kept.length > 0 ? `?${kept.join('&')}` : '';
  // The URL parser would take the first part of the path for the host.
  if (/^[/\\]|^$/.test(conf.place)) return problem('destination_conf', 'has no host');
  let url: URL;
  try {
    url = new URL(`${conf.scheme}://${conf.place}${query}`);
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
  return NOT_TO_SET.has(header) || header.startsWith('proxy-') || header.startsWith('waybill-');
}

/** Hides parts of a path that look like a password, as in webhook addresses: long, with letters and digits mixed. */
function withoutTokens(path: string): string {
  return path
    .split('/')
    .map((part, index) => {
      const looksRandom = part.length >= 16 && /\d/.test(part) && /[A-Za-z]/.test(part);
      return index > 0 && looksRandom ? REDACTED : part;
    })
    .join('/');
}
