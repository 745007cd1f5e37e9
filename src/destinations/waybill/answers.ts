/**
 * What the answer of a Waybill means for a batch. Only the receiver's own words count: a proxy's 200 is no receipt, and a
 * proxy's 503 does not say that nothing was stored. docs/destinations/waybill.md shows the same table.
 */
import type { ExchangeResult } from '../../lib/net/exchange.ts';
import { limits } from '../../model/limits.ts';
import { retryAfterMs } from '../answer.ts';
import type { Batch } from '../destination.ts';
import { fieldOf, jsonOf } from '../web-answer.ts';

export type Verdict =
  | { readonly kind: 'accepted'; readonly receipt: string; readonly status: number }
  /** Too large; halves may pass. */
  | { readonly kind: 'split'; readonly reason: string; readonly status: number }
  /** A line of it will never be taken there. */
  | { readonly kind: 'reject'; readonly reason: string; readonly status: number }
  /** Nothing was stored. `whose`: whether this concerns the whole receiver, so that another may be tried, or this stream. */
  | {
      readonly kind: 'not_taken';
      readonly whose: 'receiver' | 'stream';
      readonly reason: string;
      readonly status?: number;
      readonly afterMs?: number;
    }
  /** Nobody can tell whether it was stored: only the same receiver can, when it is asked again. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly status?: number };

type NotTaken = readonly ['receiver' | 'stream', string];

/** Refusals in the receiver's own words, by code. All of them say that nothing of the body was stored. */
const REFUSALS: Readonly<Record<string, NotTaken>> = {
  token_missing: ['receiver', 'the token was not accepted'],
  token_unknown: ['receiver', 'the token is not known there, or was revoked'],
  scope_not_allowed: ['stream', 'the token may not be used for this account or zone'],
  scope_unknown: ['stream', 'there is no such account or zone'],
  dataset_unknown: ['stream', 'there is no such dataset'],
  route_unknown: ['receiver', 'there is no ingest at this address'],
  delivery_loop: [
    'stream',
    'a delivery loop: this address leads back to where the lines come from',
  ],
  upload_stalled: ['stream', 'the batch did not arrive in time'],
  over_fair_share: ['stream', 'the account uses more than its share there'],
  too_many_streams: ['stream', 'the account starts new streams faster than allowed there'],
  disk_full: ['receiver', 'the disk is nearly full there'],
  not_durable: ['receiver', 'the disk does not take lines there'],
  draining: ['receiver', 'the server is shutting down'],
  starting: ['receiver', 'the server is starting'],
  overloaded: ['receiver', 'the server holds as many requests as it may'],
  encoding_broken: ['stream', 'the batch did not arrive as it was sent'],
  key_conflict: ['stream', 'other lines are stored there under the number of this batch'],
};

const BAD_LINES = new Set(['line_too_long', 'line_shape', 'line_json']);
const TOO_LARGE = new Set(['body_too_large', 'decompressed_too_large']);

export function verdictOf(result: ExchangeResult, batch: Batch, nowMs: number): Verdict {
  if (result.kind === 'failed') {
    const { reason } = result;
    return result.mayHaveArrived
      ? { kind: 'unknown', reason }
      : { kind: 'not_taken', whose: 'receiver', reason };
  }
  const { status, headers } = result;
  const content = jsonOf(result);
  if (status >= 200 && status < 300) return takenOf(status, content, batch);
  const code = fieldOf(fieldOf(content, 'error'), 'code');
  if (typeof code !== 'string')
    return { kind: 'unknown', reason: `status ${status}: not an answer of a Waybill`, status };
  const words = (text: string): string => `status ${status} ${code.slice(0, 64)}: ${text}`;
  if (TOO_LARGE.has(code))
    return { kind: 'split', reason: words('the batch is too large'), status };
  if (BAD_LINES.has(code))
    return {
      kind: 'reject',
      reason: words('a line is refused, and there is no room to keep it apart'),
      status,
    };
  if (code === 'internal')
    return { kind: 'unknown', reason: words('the server met a fault of its own'), status };
  const [whose, text] = (Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined) ?? [
    'stream' as const,
    'refused',
  ];
  const afterMs = retryAfterMs(headers['retry-after'], nowMs, limits.deliver.retryAfterMsMax);
  const after = afterMs === undefined ? {} : { afterMs };
  return { kind: 'not_taken', whose, reason: words(text), status, ...after };
}

/** A yes is one only when it accounts for every line. */
function takenOf(status: number, content: unknown, batch: Batch): Verdict {
  const durability = fieldOf(content, 'durability');
  const accepted = fieldOf(content, 'accepted');
  const quarantined = fieldOf(content, 'quarantined') ?? 0;
  const unwanted = fieldOf(content, 'unwanted') ?? 0;
  if (typeof durability !== 'string' || typeof accepted !== 'number')
    return { kind: 'unknown', reason: `status ${status}: not an answer of a Waybill`, status };
  if (typeof unwanted === 'number' && unwanted > 0) {
    const reason = 'nobody wants the lines of this stream there: it has no enabled job';
    return { kind: 'not_taken', whose: 'stream', reason, status };
  }
  if (typeof quarantined !== 'number' || accepted + quarantined !== batch.lines) {
    const reason = `status ${status}: the answer does not account for every line`;
    return { kind: 'unknown', reason, status };
  }
  const apart = quarantined === 0 ? '' : `, ${quarantined} kept apart as bad`;
  return { kind: 'accepted', receipt: `${accepted} lines on ${durability}${apart}`, status };
}
