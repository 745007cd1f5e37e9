/**
 * Strict stand-ins for the vendors whose servers nobody can run: each refuses what its own documentation calls a mistake, in the
 * documented way, and keeps what it took. What no documentation says is not checked.
 */
import { gunzipSync } from 'node:zlib';
import { startScriptedReceiver } from './scripted-http.ts';
import type { Answer, Beside, ReceivedRequest } from './scripted-http.ts';

interface Arrived {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
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
const VENDOR_TOKEN = 'vendor-token-of-iam';
/** IAM knows this key; its service ID may not send. */
export const READERS_SECRET = 'readers-secret-1';
const READERS_TOKEN = 'readers-token-of-iam';
export const CHANNEL = '9d6c3e0a-94e8-4c2c-8d5b-2f3a1f0b7c11';
const MEGABYTE = 1_000_000;
const TOKEN_PATH = '/identity/token';
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Where a vendor's stand-in is led to: `place` is `name:port`, `more` what comes behind the settings (`&tls=false`). */
export const VENDOR_CONFS: Readonly<Record<string, (place: string, more?: string) => string>> = {
  splunk: (place, more = '') =>
    `splunk://${place}/services/collector/raw?channel=${CHANNEL}&header_Authorization=Splunk%20${VENDOR_SECRET}${more}`,
  datadog: (place, more = '') =>
    `datadog://${place}/api/v2/logs?header_DD-API-KEY=${VENDOR_SECRET}&ddsource=x${more}`,
  sentinelone: (place, more = '') =>
    `sentinelone://${place}/services/collector/raw?header_Authorization=Bearer%20${VENDOR_SECRET}${more}`,
  newrelic: (place, more = '') =>
    `newrelic://${place}/log/v1?header_Api-Key=${VENDOR_SECRET}${more}`,
  sumo: (place, more = '') => `sumo://${place}/receiver/v1/http/${VENDOR_SECRET}?${more.slice(1)}`,
  ibmcl: (place, more = '') => {
    const iam = `${more === '' ? 'https' : 'http'}://${place}${TOKEN_PATH}`;
    return `ibmcl://${place}/logs/v1/singles?ibm_api_key=${VENDOR_SECRET}&iam=${iam}${more}`;
  },
  axiom: (place, more = '') =>
    `axiom://${place}/v1/datasets/logs/ingest?header_Authorization=Bearer%20${VENDOR_SECRET}${more}`,
};

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

/** What each vendor says of a POST to its intake. */
const VENDORS: Readonly<Record<string, Vendor>> = {
  splunk(arrived) {
    const { url, headers, plain } = arrived;
    const says = (status: number, code: number) => verdict(status, { text: 'x', code });
    if (url.pathname !== '/services/collector/raw') return verdict(404);
    const auth = headers['authorization'] ?? '';
    if (url.searchParams.has('token')) return says(400, 16);
    if (auth === '') return says(401, 2);
    if (!auth.startsWith('Splunk ')) return says(401, 3);
    if (auth === 'Splunk switched-off') return says(403, 1);
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
    if (headers['dd-api-key'] === undefined) return verdict(401, { errors: ['Unauthorized'] });
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
    if (headers['authorization'] !== `Bearer ${VENDOR_SECRET}`) return verdict(401);
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
    const isTaken = Array.isArray(logs) && logs.every(isGood);
    return isTaken ? verdict(202, { requestId: 'r' }) : verdict(400);
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
    if (headers['authorization'] === `Bearer ${READERS_TOKEN}`) return verdict(403);
    if (headers['authorization'] !== `Bearer ${VENDOR_TOKEN}`) return verdict(401);
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
    if (headers['authorization'] !== `Bearer ${VENDOR_SECRET}`) return verdict(403);
    if (url.pathname !== '/v1/datasets/logs/ingest') return verdict(404);
    if (headers['content-type'] !== 'application/x-ndjson') return verdict(415);
    const rows = arrived.plain.toString().split('\n').slice(0, -1);
    if (rows.length > 10_000) return verdict(413);
    if (!isJsonLines(arrived)) return verdict(400);
    const failed = rows.filter((row) => row.includes('"too_many_fields"')).length;
    return verdict(200, { ingested: rows.length - failed, failed, failures: [] });
  },
};

/** A request to the vendor's server, and what it answers. */
export function judgeOf(name: string): (request: ReceivedRequest) => Answer {
  const vendor = VENDORS[name];
  if (!vendor) throw new Error(`no stand-in for ${name}`);
  return ({ method, path, headers, body }) => {
    const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
    const url = new URL(path, 'http://vendor');
    const arrived = { url, headers, sentBytes: body.length, plain };
    const said = method === 'POST' ? vendor(arrived) : verdict(405);
    return {
      status: said.status,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(said.body),
    };
  };
}

/** A token service at {@link TOKEN_PATH}, which gives {@link VENDOR_TOKEN} for {@link VENDOR_SECRET}. */
export const TOKEN_SERVICE: Beside = {
  [TOKEN_PATH]({ body }) {
    const given = new URLSearchParams(body.toString());
    const isAsked = given.get('grant_type') === 'urn:ibm:params:oauth:grant-type:apikey';
    const tokens = new Map([
      [VENDOR_SECRET, VENDOR_TOKEN],
      [READERS_SECRET, READERS_TOKEN],
    ]);
    const token = isAsked ? tokens.get(given.get('apikey') ?? '') : undefined;
    return token === undefined
      ? { status: 400, body: '{"errorCode":"BXNIM0415E"}' }
      : { status: 200, body: JSON.stringify({ access_token: token, expires_in: 3_600 }) };
  },
};

export interface VendorServer {
  /** `name:port` */
  readonly place: string;
  /** Bodies taken, unpacked. */
  taken(): readonly Buffer[];
  close(): Promise<void>;
}

export async function startVendor(name: string): Promise<VendorServer> {
  const server = await startScriptedReceiver(undefined, TOKEN_SERVICE);
  server.script({ do: 'judge', verdict: judgeOf(name) });
  return {
    place: `127.0.0.1:${server.port}`,
    taken: () =>
      server.received.map(({ headers, body }) =>
        headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body,
      ),
    close: () => server.close(),
  };
}
