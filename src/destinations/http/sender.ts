import { exchange } from '../../lib/net/exchange.ts';
import type { ExchangeResult } from '../../lib/net/exchange.ts';
import { VERSION } from '../../lib/version.ts';
import { limits } from '../../model/limits.ts';
import { retryAfterMs, shortText } from '../answer.ts';
import type { Batch, DestinationTools, Sender, SendOutcome } from '../destination.ts';
import { answerFor } from './answers.ts';
import type { HttpSettings } from './settings.ts';

/** Headers in which receivers name an answer, so that the two sides can find the same request. */
const RECEIPT_HEADERS = ['x-request-id', 'request-id', 'x-amzn-requestid', 'x-correlation-id'];

/** Posts each batch as it is; the agents of the dialler keep connections between batches. */
export function httpSender(settings: HttpSettings, tools: DestinationTools): Sender {
  return {
    async send(batch, signal) {
      const result = await exchange(
        {
          secure: settings.secure,
          hostname: settings.hostname,
          ...(settings.port === undefined ? {} : { port: settings.port }),
          path: settings.path,
          method: 'POST',
          headers: { ...batchHeaders(batch), ...settings.headers },
          body: batch.body,
        },
        tools,
        signal,
      );
      return outcomeOf(result, tools.clock.wallMs());
    },
    close: () => Promise.resolve(),
  };
}

/** Says what the batch is. The same in every repeat, so that a receiver can drop one. */
function batchHeaders(batch: Batch): Record<string, string> {
  return {
    'content-type': batch.contentType,
    ...(batch.encoding === 'identity' ? {} : { 'content-encoding': 'gzip' }),
    'user-agent': `Waybill/${VERSION}`,
    'idempotency-key': batch.id,
    'waybill-batch-id': batch.id,
    'waybill-job': String(batch.job),
    'waybill-lines': String(batch.lines),
    'waybill-stream': batch.stream,
    // The end is not included, as everywhere in Waybill.
    'waybill-offsets': `${batch.epoch}:${batch.from}-${batch.to}`,
  };
}

function outcomeOf(result: ExchangeResult, nowMs: number): SendOutcome {
  if (result.kind === 'failed') return { kind: 'retry', reason: result.reason };
  const { status, headers } = result;
  const { kind, words } = answerFor(status);
  const reason = `status ${status}: ${words}`;
  switch (kind) {
    case 'accepted': {
      const named = RECEIPT_HEADERS.find((name) => headers[name] !== undefined);
      const id = named === undefined ? '' : ` ${named} ${shortText(String(headers[named]))}`;
      return { kind, receipt: `status ${status}${id}`, status };
    }
    case 'retry': {
      const afterMs = retryAfterMs(headers['retry-after'], nowMs, limits.deliver.retryAfterMsMax);
      return { kind, reason, status, ...(afterMs === undefined ? {} : { afterMs }) };
    }
    case 'split':
    case 'reject':
      return { kind, reason, status };
  }
}
