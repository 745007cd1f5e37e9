/**
 * Lines shaped like `http_requests`: 25 fields, about 900 bytes, with skewed values, a few escapes, text beyond ASCII,
 * nanoseconds as integers, floats and a nested object. The same seed gives the same lines.
 */

/** A block as the log stores them: whole lines, each ended by a newline. */
export interface Block {
  readonly bytes: Buffer;
  readonly lines: number;
}

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (compatible; \\"Bot\\"/2.1; +http://bot.example/about.html)',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.126 Safari/537.36',
] as const;
const COUNTRIES = ['us', 'us', 'us', 'de', 'gb', 'fr', 'br', 'in', 'jp', 'nl'] as const;
const WORDS = ['an', 're', 'to', 'li', 'ka', 'mo', 'shi', 'vel', 'dor', 'ex', 'ul'] as const;
const METHODS = ['GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'POST', 'HEAD', 'OPTIONS'] as const;

/** A small generator of numbers from 0 to 1 (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function* httpLines(seed: number): Generator<string, never> {
  const random = numbersFrom(seed);
  const int = (below: number): number => Math.floor(random() * below);
  const pick = <T>(among: readonly T[]): T => among[int(among.length)]!;
  const word = (parts: number): string => Array.from({ length: parts }, () => pick(WORDS)).join('');
  const digits = (value: number, length: number): string => String(value).padStart(length, '0');
  let ms = Date.UTC(2026, 7, 21, 10);
  for (;;) {
    ms += int(3);
    const host = `${pick(['www', 'api', 'img', 'shop'])}.${pick(WORDS)}shop${int(6)}.example`;
    const tookMs = 2 + int(400);
    const isHit = random() < 0.5;
    const status = random() < 0.9 ? 200 : pick([301, 304, 403, 404, 429, 500, 503]);
    const accent = random() < 0.02 ? '&q=caf\u00e9' : '';
    const query = random() < 0.4 ? `?id=${int(1e6)}&page=${int(40)}${accent}` : '';
    const uri = `/${word(2)}/${word(3)}/${word(2)}-${word(2)}${pick(['', '.html', '.js', '.webp'])}${query}`;
    const referer = random() < 0.4 ? `https://${host}/${word(2)}/${word(4)}` : '';
    const fields = [
      `"ClientIP":"${1 + int(223)}.${int(256)}.${int(256)}.${int(256)}"`,
      `"ClientRequestHost":"${host}"`,
      `"ClientRequestMethod":"${pick(METHODS)}"`,
      `"ClientRequestURI":"${uri}"`,
      `"EdgeEndTimestamp":${ms + tookMs}${digits(int(1000), 3)}000`,
      `"EdgeResponseBytes":${200 + Math.floor(60_000 * random() ** 3)}`,
      `"EdgeResponseStatus":${status}`,
      `"EdgeStartTimestamp":${ms}${digits(int(1000), 3)}000`,
      `"RayID":"${digits(int(2 ** 31), 16)}"`,
      `"CacheCacheStatus":"${isHit ? 'hit' : pick(['miss', 'dynamic', 'expired'])}"`,
      `"ClientASN":${1000 + int(60_000)}`,
      `"ClientCountry":"${pick(COUNTRIES)}"`,
      `"ClientDeviceType":"${pick(['desktop', 'mobile', 'tablet'])}"`,
      `"ClientRequestBytes":${400 + int(2400)}`,
      `"ClientRequestProtocol":"${pick(['HTTP/2', 'HTTP/1.1', 'HTTP/3'])}"`,
      `"ClientRequestReferer":"${referer}"`,
      `"ClientRequestUserAgent":"${pick(AGENTS)}"`,
      `"ClientSSLProtocol":"${pick(['TLSv1.3', 'TLSv1.2'])}"`,
      `"EdgeColoCode":"${pick(['FRA', 'IAD', 'LHR', 'SJC', 'NRT', 'GRU'])}"`,
      `"EdgeTimeToFirstByteMs":${tookMs}`,
      `"OriginResponseDurationMs":${isHit ? 0 : tookMs}`,
      `"OriginResponseStatus":${isHit ? 0 : status}`,
      `"JA4Signals":{"h2h3_ratio_1h":${random().toFixed(4)},"reqs_quantile_1h":${random().toFixed(6)}}`,
      `"BotScore":${1 + int(99)}`,
      `"ZoneName":"${host.slice(host.indexOf('.') + 1)}"`,
    ];
    yield `{${fields.join(',')}}\n`;
  }
}

/** Blocks of at most 1,000 lines, as the log cuts them. */
export function httpBlocks(seed: number, totalBytes: number): Block[] {
  const blocks: Block[] = [];
  const lines = httpLines(seed);
  let made = 0;
  while (made < totalBytes) {
    const texts = Array.from({ length: 1_000 }, () => lines.next().value);
    const bytes = Buffer.from(texts.join(''));
    made += bytes.length;
    blocks.push({ bytes, lines: texts.length });
  }
  return blocks;
}

/** Request bodies of whole lines, about `bodyBytes` each and no more. */
export function cutBodies(totalBytes: number, bodyBytes: number): Buffer[] {
  const all = Buffer.concat(httpBlocks(11, totalBytes).map(({ bytes }) => bytes));
  const bodies: Buffer[] = [];
  for (let at = 0; at < all.length;) {
    const most = Math.min(all.length, at + bodyBytes);
    const end = all.lastIndexOf(10, most - 1) + 1;
    bodies.push(all.subarray(at, end));
    at = end;
  }
  return bodies;
}
