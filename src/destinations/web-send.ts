/** What islands that post batches over HTTP share: the request's headers, its signature, and the way to the exchange. */
import { createHmac } from 'node:crypto';
import { exchange } from '../lib/net/exchange.ts';
import type { ExchangeResult } from '../lib/net/exchange.ts';
import { VERSION } from '../lib/version.ts';
import type { Batch, DestinationTools, Via } from './destination.ts';
import type { WebTarget } from './web-conf.ts';

export const USER_AGENT = `Waybill/${VERSION}`;

/** Posts a batch. Headers of the target replace those that say what the batch is, and `more` replaces all. */
export function postBatch(
  target: WebTarget,
  batch: Batch,
  tools: DestinationTools,
  signal: AbortSignal,
  more: Readonly<Record<string, string>> = {},
): Promise<ExchangeResult> {
  return exchange(
    {
      secure: target.secure,
      hostname: target.hostname,
      ...(target.port === undefined ? {} : { port: target.port }),
      path: target.path,
      method: 'POST',
      headers: { ...batchHeaders(batch, tools), ...target.headers, ...more },
      body: batch.body,
      ...(batch.done && { sent: batch.done }),
    },
    tools,
    signal,
  );
}

/** Says what the batch is. The same in every repeat, so that a receiver can drop one. */
function batchHeaders(batch: Batch, tools: DestinationTools): Record<string, string> {
  return {
    'content-type': batch.contentType,
    ...(batch.encoding === 'identity' ? {} : { 'content-encoding': 'gzip' }),
    'user-agent': USER_AGENT,
    'idempotency-key': batch.id,
    'waybill-batch-id': batch.id,
    'waybill-job': String(batch.job),
    'waybill-lines': String(batch.lines),
    'waybill-stream': batch.stream,
    // The end is not included, as everywhere in Waybill.
    'waybill-offsets': `${batch.epoch}:${batch.from}-${batch.to}`,
    ...viaHeader(batch, tools.via),
  };
}

/** Says which servers the lines have passed through; a server that meets its own name refuses them. */
export function viaHeader(batch: Batch, via: Via | undefined): Record<string, string> {
  const names = via?.(batch) ?? [];
  return names.length === 0 ? {} : { 'waybill-via': names.join(', ') };
}

/**
 * A signature in the form of the Standard Webhooks specification: HMAC-SHA256 over `<id>.<timestamp>.<body>`, where the body
 * is the bytes as sent.
 *
 * @param nowMs wall clock; receivers refuse what is some minutes off
 */
export function webhookHeaders(key: Buffer, batch: Batch, nowMs: number): Record<string, string> {
  const seconds = String(Math.floor(nowMs / 1_000));
  const hmac = createHmac('sha256', key).update(`${batch.id}.${seconds}.`);
  for (const part of batch.body) hmac.update(part);
  return {
    'webhook-id': batch.id,
    'webhook-timestamp': seconds,
    'webhook-signature': `v1,${hmac.digest('base64')}`,
  };
}
