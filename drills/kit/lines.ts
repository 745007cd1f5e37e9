/**
 * Numbered lines that know whether they are whole.
 *
 * A line names its zone and its number within the zone, says when it was made, and ends with a checksum of all that
 * stands before it. So whoever finds one can say whose it is, which one, how late, and whether a byte has changed.
 */
import { crc32 } from 'node:zlib';

const PATHS = ['/', '/search', '/items', '/api/v2/cart', '/img/logo.webp', '/live/segment.m4s'];
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0',
  'okhttp/5.3.0',
];

/** What a line says of itself. */
export interface Identity {
  readonly zone: string;
  readonly number: number;
  /** When it was made, in ms since 1970. */
  readonly madeMs: number;
}

/** One line without its newline. ASCII, so that characters are bytes. */
export function lineOf(zone: string, number: number, madeMs: number): string {
  const path = PATHS[number % PATHS.length]!;
  const agent = AGENTS[number % AGENTS.length]!;
  const client = `198.51.${number % 200}.${(number * 7) % 251}`;
  const text =
    `{"zone":"${zone}","n":${number},"at":${Math.round(madeMs)},"ClientIP":"${client}",` +
    `"ClientRequestHost":"${zone}.example","ClientRequestMethod":"GET","ClientRequestURI":"${path}?page=${number}",` +
    `"ClientRequestUserAgent":"${agent}","EdgeResponseStatus":${number % 17 === 0 ? 404 : 200},` +
    `"EdgeResponseBytes":${(number * 2_654_435_761) % 90_000}`;
  return `${text},"sum":"${crc32(text).toString(16).padStart(8, '0')}"}`;
}

const LINE = /^(\{"zone":"([^"]+)","n":(\d+),"at":(\d+),.*),"sum":"([\da-f]{8})"\}$/;

/** Whose line it is; undefined when a byte of it is not what it was. */
export function identify(line: string): Identity | undefined {
  const [, text, zone, number, madeMs, sum] = LINE.exec(line) ?? [];
  if (text === undefined || crc32(text) !== Number.parseInt(sum!, 16)) return undefined;
  return { zone: zone!, number: Number(number), madeMs: Number(madeMs) };
}

/** The lines of a body or file; each byte one character, so that equal texts are equal bytes. */
export function* linesIn(plain: Buffer): Generator<string> {
  let start = 0;
  for (let end = plain.indexOf(10); end >= 0; end = plain.indexOf(10, start)) {
    yield plain.toString('latin1', start, end);
    start = end + 1;
  }
  if (start < plain.length) yield plain.toString('latin1', start);
}
