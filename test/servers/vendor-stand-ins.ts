/**
 * Strict stand-ins for the vendors whose servers nobody can run: each refuses what its own documentation calls a mistake, in the
 * documented way, and keeps what it took. What no documentation says is not checked.
 */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

interface Arrived {
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** As sent. */
  readonly sentBytes: number;
  /** Unpacked. */
  readonly plain: Buffer;
}

interface Verdict {
  readonly status: number;
  readonly body: unknown;
}

/** What a vendor's documentation says, as a function; the credentials are those of {@link VENDOR_SECRET}. */
type Vendor = (arrived: Arrived) => Verdict;

export const VENDOR_SECRET = 'vendor-secret-1';
export const VENDOR_TOKEN = 'vendor-token-of-iam';
export const CHANNEL = '9d6c3e0a-94e8-4c2c-8d5b-2f3a1f0b7c11';
const MEGABYTE = 1_000_000;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const verdict = (status: number, body: unknown = {}): Verdict => ({ status, body });

/** The body as JSON, or undefined. */
function json({ plain }: Arrived): unknown {
  try {
    return JSON.parse(plain.toString()) as unknown;
  } catch {
    return undefined;
  }
}

function isJsonLines({ plain }: Arrived): boolean {
  const rows = plain.toString().split('\n');
  if (rows.pop() !== '') return false;
  return rows.every((row) => {
    try {
      return typeof JSON.parse(row) === 'object';
    } catch {
      return false;
    }
  });
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** A time in milliseconds that is not absurd: seconds and nanoseconds in its place are the usual mistakes. */
const isMilliseconds = (value: unknown): boolean =>
  typeof value === 'number' && value > 1e12 && value < 1e14;

export const VENDORS: Readonly<Record<string, Vendor>> = {
  splunk(arrived) {
    const { url, headers, plain } = arrived;
    const says = (status: number, code: number) => verdict(status, { text: 'x', code });
    if (url.pathname !== '/services/collector/raw') return verdict(404);
    const auth = headers.authorization ?? '';
    if (auth === '') return says(401, 2);
    if (!auth.startsWith('Splunk ')) return says(401, 3);
    if (auth !== `Splunk ${VENDOR_SECRET}`) return says(403, 4);
    const channel = url.searchParams.get('channel');
    if (channel === null) return says(400, 10);
    if (!GUID.test(channel)) return says(400, 11);
    if (url.searchParams.get('index') === 'forbidden') return says(400, 7);
    if (plain.length > MEGABYTE) return says(413, 27);
    return plain.length === 0 ? says(400, 5) : says(200, 0);
  },
  datadog(arrived) {
    const { url, headers, plain } = arrived;
    if (url.pathname !== '/api/v2/logs') return verdict(404);
    if (headers['dd-api-key'] !== VENDOR_SECRET) return verdict(403, { errors: ['Forbidden'] });
    if (headers['content-type'] !== 'application/json') return verdict(415);
    if (plain.length > 5 * MEGABYTE) return verdict(413);
    const logs = json(arrived);
    if (!Array.isArray(logs) || logs.length === 0) return verdict(400);
    return verdict(logs.length > 1_000 ? 413 : 202);
  },
  sentinelone(arrived) {
    const { url, headers, plain } = arrived;
    if (url.pathname !== '/services/collector/raw') return verdict(404);
    if (headers.authorization !== `Bearer ${VENDOR_SECRET}`) return verdict(401);
    if (plain.length > 6 * MEGABYTE) return verdict(413);
    return verdict(isJsonLines(arrived) ? 200 : 400);
  },
  newrelic(arrived) {
    const { url, headers, sentBytes } = arrived;
    if (url.pathname !== '/log/v1') return verdict(404);
    if (headers['api-key'] !== VENDOR_SECRET) return verdict(403);
    if (headers['content-type'] !== 'application/json') return verdict(415);
    if (sentBytes > MEGABYTE) return verdict(413);
    const body = json(arrived);
    const logs = Array.isArray(body) ? record(body[0])['logs'] : undefined;
    const isGood = (log: unknown): boolean =>
      isMilliseconds(record(log)['timestamp']) && typeof record(log)['message'] === 'string';
    return verdict(Array.isArray(logs) && logs.every(isGood) ? 202 : 400);
  },
  sumo(arrived) {
    const { url, headers, plain } = arrived;
    if (url.pathname !== `/receiver/v1/http/${VENDOR_SECRET}`) return verdict(401);
    if (!['gzip', 'deflate', undefined].includes(headers['content-encoding'])) return verdict(415);
    if (plain.length > MEGABYTE) return verdict(413);
    return verdict(isJsonLines(arrived) ? 200 : 400);
  },
  ibmcl(arrived) {
    const { url, headers, plain } = arrived;
    if (url.pathname !== '/logs/v1/singles') return verdict(404);
    if (headers.authorization !== `Bearer ${VENDOR_TOKEN}`) return verdict(401);
    if (headers['content-type'] !== 'application/json') return verdict(415);
    if (plain.length > 2 * MEGABYTE) return verdict(413);
    const logs = json(arrived);
    const isGood = (log: unknown): boolean => {
      const { applicationName, subsystemName, timestamp, text } = record(log);
      const isNamed = typeof applicationName === 'string' && typeof subsystemName === 'string';
      return isNamed && isMilliseconds(timestamp) && text !== undefined;
    };
    return verdict(Array.isArray(logs) && logs.every(isGood) ? 200 : 400);
  },
  axiom(arrived) {
    const { url, headers } = arrived;
    if (headers.authorization !== `Bearer ${VENDOR_SECRET}`) return verdict(403);
    if (url.pathname !== '/v1/datasets/logs/ingest') return verdict(404);
    if (headers['content-type'] !== 'application/x-ndjson') return verdict(415);
    const rows = arrived.plain.toString().split('\n').slice(0, -1);
    if (rows.length > 10_000) return verdict(413);
    if (!isJsonLines(arrived)) return verdict(400);
    const failed = rows.filter((row) => row.includes('"too_many_fields"')).length;
    return verdict(200, { ingested: rows.length - failed, failed, failures: [] });
  },
};

export interface VendorServer {
  readonly port: number;
  /** Bodies taken, unpacked. */
  readonly taken: readonly Buffer[];
  close(): void;
}

/** Also a token service at `/identity/token`, which gives {@link VENDOR_TOKEN} for {@link VENDOR_SECRET}. */
export async function startVendor(name: string): Promise<VendorServer> {
  const vendor = VENDORS[name];
  if (!vendor) throw new Error(`no stand-in for ${name}`);
  const taken: Buffer[] = [];
  const server = createServer((request, answer) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const sent = Buffer.concat(chunks);
      const url = new URL(request.url ?? '/', 'http://vendor');
      if (url.pathname === '/identity/token')
        return void answer.writeHead(...token(sent)[0]).end(token(sent)[1]);
      const arrived = {
        url,
        headers: request.headers,
        sentBytes: sent.length,
        plain: request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent,
      };
      const { status, body } = request.method === 'POST' ? vendor(arrived) : verdict(405);
      if (status < 300) taken.push(arrived.plain);
      answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    taken,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function token(form: Buffer): readonly [readonly [number], string] {
  const given = new URLSearchParams(form.toString());
  const isKey =
    given.get('grant_type') === 'urn:ibm:params:oauth:grant-type:apikey' &&
    given.get('apikey') === VENDOR_SECRET;
  return isKey
    ? [[200], JSON.stringify({ access_token: VENDOR_TOKEN, expires_in: 3_600 })]
    : [[400], '{"errorCode":"BXNIM0415E"}'];
}
