/**
 * One multipart upload of the JSON API a batch (https://cloud.google.com/storage/docs/uploading-objects): metadata and content
 * in one request, with a checksum that the service compares, and only if there is no such object yet. So the account
 * may be one that can create and nothing else, and a repeat does nothing.
 */
import { createHash, sign } from 'node:crypto';
import { exchange } from '../../lib/net/exchange.ts';
import type { Batch, DestinationTools, Sender, SendOutcome } from '../destination.ts';
import { objectFacts, objectName, objectType } from '../object.ts';
import { tokenOf } from '../token.ts';
import { answerFor, outcomeOf } from '../web-answer.ts';
import { USER_AGENT } from '../web-send.ts';
import { ANSWERS } from './answers.ts';
import type { GcsSettings, ServiceAccount } from './settings.ts';

const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write';
const TOKEN_LIFE_S = 3_600;
const OK = 200;

export function gcsSender(settings: GcsSettings, tools: DestinationTools): Sender {
  const { account, endpoint, bucket, prefix } = settings;
  const token = tokenOf(account.tokenUrl, (nowMs) => tokenRequest(account, nowMs), tools);
  return {
    async send(batch, signal): Promise<SendOutcome> {
      const fresh = await token.headers(signal);
      if (fresh.kind !== 'token') return fresh;
      const name = objectName(prefix, batch);
      const { boundary, body } = multipart(name, batch);
      const path = `/upload/storage/v1/b/${encodeURIComponent(bucket)}/o`;
      const result = await exchange(
        {
          secure: endpoint.protocol === 'https:',
          hostname: endpoint.hostname,
          ...(endpoint.port === '' ? {} : { port: Number(endpoint.port) }),
          path: `${path}?uploadType=multipart&ifGenerationMatch=0&fields=name`,
          method: 'POST',
          headers: {
            ...fresh.headers,
            'content-type': `multipart/related; boundary=${boundary}`,
            'user-agent': USER_AGENT,
          },
          body,
        },
        tools,
        signal,
      );
      if (result.kind === 'failed') return { kind: 'retry', reason: result.reason };
      const { status } = result;
      if (status === 401) token.forget();
      const meaning = answerFor(status, ANSWERS);
      if (meaning.kind === 'accepted')
        return { kind: 'accepted', receipt: `gs://${bucket}/${name}`, status: OK };
      return outcomeOf(result, meaning, tools.clock.wallMs());
    },
    close: () => Promise.resolve(),
  };
}

/** RFC 2387: a part of JSON, and the object. */
function multipart(name: string, batch: Batch): { boundary: string; body: readonly Uint8Array[] } {
  const md5 = createHash('md5');
  for (const part of batch.body) md5.update(part);
  const facts = Object.entries(objectFacts(batch));
  const metadata = JSON.stringify({
    name,
    contentType: objectType(batch),
    md5Hash: md5.digest('base64'),
    metadata: Object.fromEntries(facts.map(([key, value]) => [`waybill-${key}`, value])),
  });
  // Made of a hash of the content, it does not stand in it.
  const boundary = `waybill-${batch.sha256.slice(0, 32)}`;
  const head =
    `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${metadata}\r\n` +
    `--${boundary}\r\ncontent-type: ${objectType(batch)}\r\n\r\n`;
  return {
    boundary,
    body: [Buffer.from(head), ...batch.body, Buffer.from(`\r\n--${boundary}--\r\n`)],
  };
}

/** RFC 7523: a signed statement of the account about itself, in exchange for a token. */
function tokenRequest(account: ServiceAccount, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1_000);
  const header = { alg: 'RS256', typ: 'JWT', kid: account.keyId };
  const claims = {
    iss: account.email,
    scope: SCOPE,
    aud: account.tokenUrl,
    iat: seconds,
    exp: seconds + TOKEN_LIFE_S,
  };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const statement = `${part(header)}.${part(claims)}`;
  const signature = sign('RSA-SHA256', Buffer.from(statement), account.key).toString('base64url');
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${statement}.${signature}`,
  }).toString();
}
