/**
 * A strict stand-in for S3, for machines where no real server can be had. It keeps objects as plain files and checks what
 * a client can get wrong: the signature (AWS Signature Version 4 in the Authorization header), the clock, the payload's
 * hash, the length, and checksums. Nothing of a refused object is kept.
 *
 *   node test/servers/s3-stand-in.ts <folder> <access key> <secret key> <region> [<port>]
 *
 * Prints `{"port":…}` when it listens, and ends when its standard input does: with the process that started it.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';

interface Settings {
  readonly folder: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
}

const SKEW_MS = 15 * 60_000;
const BODY_BYTES = 256 * 1024 * 1024;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** What S3 answers instead: a status and a code. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: Buffer | string, data: string): Buffer =>
  createHmac('sha256', key).update(data).digest();

/** RFC 3986, as the signature's canonical form wants it. */
function escape(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function handle(
  request: IncomingMessage,
  answer: ServerResponse,
  settings: Settings,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://s3');
  const [bucket = '', ...rest] = (request.url ?? '/')
    .split('?', 1)[0]!
    .slice(1)
    .split('/')
    .map(decodeURIComponent);
  const key = rest.join('/');
  if (bucket === '' && request.method === 'GET') return void answer.writeHead(200).end();
  checkSignature(request, url, settings);
  if (!BUCKET.test(bucket)) throw new Refusal(400, 'InvalidBucketName', 'not the name of a bucket');
  if (request.method === 'PUT' && request.headers['content-length'] === undefined) {
    throw new Refusal(411, 'MissingContentLength', 'a length is needed');
  }
  const body = await readBody(request);
  checkBody(request, body);
  if (request.method === 'PUT' && key === '') {
    await mkdir(join(settings.folder, bucket), { recursive: true });
    return void answer.writeHead(200).end();
  }
  await readDirectoryOrRefuse(settings, bucket);
  if (key === '' || key.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new Refusal(400, 'InvalidArgument', 'not the name of an object');
  }
  const path = join(settings.folder, bucket, key);
  const etag = `"${createHash('md5').update(body).digest('hex')}"`;
  switch (request.method) {
    case 'PUT':
      await keep(path, body);
      return void answer.writeHead(200, { etag }).end();
    case 'GET':
    case 'HEAD': {
      const object = await readFile(path).catch(() => undefined);
      if (!object) throw new Refusal(404, 'NoSuchKey', 'no such object');
      answer.writeHead(200, { 'content-length': object.length });
      return void answer.end(request.method === 'GET' ? object : undefined);
    }
    default:
      throw new Refusal(405, 'MethodNotAllowed', 'not done here');
  }
}

async function readDirectoryOrRefuse(settings: Settings, bucket: string): Promise<void> {
  const there = await open(join(settings.folder, bucket), 'r').catch(() => undefined);
  if (!there) throw new Refusal(404, 'NoSuchBucket', 'no such bucket');
  await there.close();
}

/** Whole or not at all, also when the process is killed. */
async function keep(path: string, body: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.${process.pid}-${performance.now()}.part`);
  const file = await open(temporary, 'wx');
  await file.writeFile(body);
  await file.sync();
  await file.close();
  await rename(temporary, path);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES) throw new Refusal(400, 'EntityTooLarge', 'too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function checkBody(request: IncomingMessage, body: Buffer): void {
  const { headers } = request;
  if (sha256(body) !== headers['x-amz-content-sha256']) {
    throw new Refusal(
      400,
      'XAmzContentSHA256Mismatch',
      'the payload is not the one that was signed',
    );
  }
  const wanted: readonly (readonly [string, () => string])[] = [
    ['content-md5', () => createHash('md5').update(body).digest('base64')],
    ['x-amz-checksum-sha256', () => createHash('sha256').update(body).digest('base64')],
    [
      'x-amz-checksum-crc32',
      () => {
        const sum = Buffer.alloc(4);
        sum.writeUInt32BE(crc32(body));
        return sum.toString('base64');
      },
    ],
  ];
  for (const [name, actual] of wanted) {
    if (headers[name] !== undefined && headers[name] !== actual()) {
      throw new Refusal(400, 'BadDigest', `${name} is not that of the payload`);
    }
  }
}

/** AWS General Reference, "Signature Version 4 for API requests", recomputed from what arrived. */
function checkSignature(request: IncomingMessage, url: URL, settings: Settings): void {
  const { headers } = request;
  const authorization = headers.authorization;
  if (!authorization) throw new Refusal(403, 'AccessDenied', 'not signed');
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  if (!match) throw new Refusal(400, 'AuthorizationHeaderMalformed', 'not Signature Version 4');
  const [, accessKey = '', day = '', region = '', signed = '', signature = ''] = match;
  if (accessKey !== settings.accessKey) throw new Refusal(403, 'InvalidAccessKeyId', 'unknown key');
  if (region !== settings.region)
    throw new Refusal(400, 'AuthorizationHeaderMalformed', 'wrong region');
  const payload = String(headers['x-amz-content-sha256'] ?? '');
  if (!/^[0-9a-f]{64}$/.test(payload)) {
    throw new Refusal(
      400,
      'InvalidRequest',
      'x-amz-content-sha256 must hold the hash of the payload',
    );
  }
  const date = String(headers['x-amz-date'] ?? '');
  checkDate(date, day);
  const names = signed.split(';');
  const mustBeSigned = Object.keys(headers).filter(
    (name) => name === 'host' || name.startsWith('x-amz-'),
  );
  if (mustBeSigned.some((name) => !names.includes(name))) {
    throw new Refusal(403, 'AccessDenied', 'there are headers that were not signed');
  }
  const path = url.pathname.split('/').map(decodeURIComponent).map(escape).join('/');
  const query = [...url.searchParams]
    .map(([name, value]) => `${escape(name)}=${escape(value)}`)
    .sort()
    .join('&');
  const canonicalHeaders = names
    .map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replaceAll(/ +/g, ' ')}\n`,
    )
    .join('');
  const canonical = [request.method, path, query, canonicalHeaders, signed, payload].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = ['s3', 'aws4_request'].reduce(
    (made, part) => hmac(made, part),
    hmac(hmac(`AWS4${settings.secretKey}`, day), region),
  );
  if (!timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'))) {
    throw new Refusal(403, 'SignatureDoesNotMatch', 'the signature is not the one computed here');
  }
}

function checkDate(date: string, day: string): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  const [year = 0, month = 0, dayOfMonth = 0, hour = 0, minute = 0, second = 0] = (match ?? [])
    .slice(1)
    .map(Number);
  const ms = Date.UTC(year, month - 1, dayOfMonth, hour, minute, second);
  if (!match || !date.startsWith(day))
    throw new Refusal(403, 'AccessDenied', 'x-amz-date is needed');
  if (Math.abs(ms - Date.now()) > SKEW_MS)
    throw new Refusal(403, 'RequestTimeTooSkewed', 'clocks differ');
}

function main(): void {
  const [folder = '', accessKey = '', secretKey = '', region = '', port = '0'] =
    process.argv.slice(2);
  const settings = { folder, accessKey, secretKey, region };
  const server = createServer((request, answer) => {
    handle(request, answer, settings).catch((error: unknown) => {
      const refusal =
        error instanceof Refusal ? error : new Refusal(500, 'InternalError', String(error));
      const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${refusal.code}</Code><Message>${refusal.message}</Message></Error>`;
      const refuse = (): void => {
        answer.writeHead(refusal.status, { 'content-type': 'application/xml' }).end(text);
      };
      if (answer.headersSent || answer.destroyed) answer.destroy();
      else if (request.complete) refuse();
      // What is still on its way is read first: an answer before the end would be lost with the connection.
      else request.resume().on('end', refuse);
    });
  });
  server.listen(Number(port), '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
  });
  process.stdin.resume().on('end', () => process.exit(0));
}

main();
