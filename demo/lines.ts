/** Made-up `http_requests` lines that look like a CDN's: each is unique by its RayID. */

const ROUTES: readonly (readonly [path: string, type: string, share: number])[] = [
  ['/', 'text/html', 12],
  ['/search?q=caf%C3%A9&page={n}', 'text/html', 9],
  ['/items/{n}', 'text/html', 22],
  ['/küche/töpfe-{n}', 'text/html', 4],
  ['/api/v2/cart', 'application/json', 10],
  ['/api/v2/events?since={n}', 'application/json', 11],
  ['/img/{n}.webp', 'image/webp', 24],
  ['/live/segment-{n}.m4s', 'video/mp4', 6],
  ['/wp-login.php', 'text/html', 2],
];

const STATUSES: readonly (readonly [status: number, share: number])[] = [
  [200, 78],
  [206, 4],
  [301, 3],
  [304, 6],
  [403, 2],
  [404, 4],
  [429, 1],
  [500, 1],
  [502, 0.6],
  [503, 0.4],
];

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148',
  'Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0',
  'okhttp/5.3.0',
  'curl/8.17.0',
];
const COUNTRIES = ['de', 'us', 'br', 'jp', 'fr', 'in', 'gb', 'pl', 'za', 'se'];
const COLOS = ['FRA', 'IAD', 'GRU', 'NRT', 'CDG', 'BOM', 'LHR', 'WAW'];
const CACHE = ['hit', 'hit', 'hit', 'miss', 'dynamic', 'expired', 'revalidated'];

/** Makes the lines of one edge server. */
export class LineMaker {
  readonly #host: string;
  readonly #prefix: string;
  #made = 0;

  /** @param server a number of its own, so that no two makers give out one RayID */
  constructor(host: string, server: number) {
    this.#host = host;
    const random = Math.floor(Math.random() * 2 ** 24);
    this.#prefix = server.toString(16).padStart(2, '0') + random.toString(16).padStart(6, '0');
  }

  /** One line with its newline. */
  next(nowMs: number): string {
    this.#made += 1;
    const [path, type] = weighted(ROUTES);
    const [status] = weighted(STATUSES);
    const tookMs = Math.round(2 + 180 * Math.random() ** 3);
    const bytes = status === 304 ? 0 : Math.round(400 + 90_000 * Math.random() ** 4);
    const line = {
      RayID: this.#prefix + this.#made.toString(16).padStart(8, '0'),
      EdgeStartTimestamp: new Date(nowMs - tookMs).toISOString(),
      EdgeEndTimestamp: new Date(nowMs).toISOString(),
      ClientIP: `198.51.${between(100, 103)}.${between(1, 254)}`,
      ClientASN: between(1_000, 64_000),
      ClientCountry: pick(COUNTRIES),
      ClientRequestHost: this.#host,
      ClientRequestMethod: type === 'application/json' && Math.random() < 0.4 ? 'POST' : 'GET',
      ClientRequestURI: path.replace('{n}', String(between(1, 99_999))),
      ClientRequestProtocol: Math.random() < 0.7 ? 'HTTP/2' : 'HTTP/3',
      ClientRequestUserAgent: pick(AGENTS),
      ClientSSLProtocol: 'TLSv1.3',
      CacheCacheStatus: pick(CACHE),
      EdgeColoCode: pick(COLOS),
      EdgeResponseStatus: status,
      EdgeResponseContentType: type,
      EdgeResponseBytes: bytes + 480,
      EdgeTimeToFirstByteMs: Math.round(tookMs / 2),
    };
    return `${JSON.stringify(line)}\n`;
  }
}

function between(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1));
}

function pick<T>(all: readonly T[]): T {
  return all[between(0, all.length - 1)]!;
}

/** One of the rows, as often as the share in its last column says. */
function weighted<T extends readonly [...unknown[], share: number]>(rows: readonly T[]): T {
  const share = (row: T) => row[row.length - 1] as number;
  let at = Math.random() * rows.reduce((sum, row) => sum + share(row), 0);
  return rows.find((row) => (at -= share(row)) < 0) ?? rows[0]!;
}
