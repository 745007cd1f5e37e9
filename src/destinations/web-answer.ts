/**
 * What a receiver's status means for a batch, as data. The page docs/destinations/http.md shows the same table. Receivers
 * with meanings of their own put rows before it.
 */
import type { ExchangeResult } from '../lib/net/exchange.ts';
import { limits } from '../model/limits.ts';
import { retryAfterMs, shortText } from './answer.ts';
import type { SendOutcome } from './destination.ts';

export interface Meaning {
  readonly kind: Exclude<SendOutcome['kind'], 'partial'>;
  readonly words: string;
}

export interface AnswerRow extends Meaning {
  readonly from: number;
  readonly to: number;
}

/** One status and what it means. */
export function row(status: number, kind: Meaning['kind'], words: string): AnswerRow {
  return { from: status, to: status, kind, words };
}

/** The first row that holds the status counts. Every status from 100 to 999 is in one. */
export const ANSWERS: readonly AnswerRow[] = [
  { from: 200, to: 299, kind: 'accepted', words: 'accepted' },
  {
    from: 300,
    to: 399,
    kind: 'retry',
    words: 'a redirect, which is not followed: use the final address',
  },
  { from: 400, to: 400, kind: 'reject', words: 'the receiver calls the batch malformed' },
  { from: 401, to: 401, kind: 'retry', words: 'the credentials were not accepted' },
  { from: 403, to: 403, kind: 'retry', words: 'the credentials do not permit this' },
  { from: 404, to: 404, kind: 'retry', words: 'there is nothing at this address' },
  { from: 405, to: 405, kind: 'retry', words: 'this address does not take POST' },
  { from: 408, to: 408, kind: 'retry', words: 'the receiver did not get the batch in time' },
  { from: 413, to: 413, kind: 'split', words: 'the batch is too large for the receiver' },
  {
    from: 415,
    to: 415,
    kind: 'reject',
    words: 'the receiver does not take this content type or gzip',
  },
  { from: 422, to: 422, kind: 'reject', words: 'the receiver calls the content invalid' },
  { from: 425, to: 425, kind: 'retry', words: 'too early for the receiver' },
  { from: 429, to: 429, kind: 'retry', words: 'too many requests for the receiver' },
  { from: 400, to: 499, kind: 'retry', words: 'refused by the receiver' },
  {
    from: 508,
    to: 508,
    kind: 'retry',
    words: 'a delivery loop: this address leads back to where the lines come from',
  },
  { from: 500, to: 599, kind: 'retry', words: 'the receiver is in trouble' },
  { from: 100, to: 999, kind: 'retry', words: 'not a status that means anything here' },
];

/** @param own rows of the receiver's own, which come first */
export function answerFor(status: number, own: readonly AnswerRow[] = []): AnswerRow {
  const holds = ({ from, to }: AnswerRow): boolean => status >= from && status <= to;
  return own.find(holds) ?? ANSWERS.find(holds) ?? row(status, 'retry', 'not an HTTP status');
}

type Answer = Extract<ExchangeResult, { kind: 'answer' }>;

/** Headers in which receivers name an answer, so that the two sides can find the same request. */
const RECEIPT_HEADERS = ['x-request-id', 'request-id', 'x-amzn-requestid', 'x-correlation-id'];

/** An answer of a known meaning as an outcome. `code` is the receiver's own word for it. */
export function outcomeOf(
  { status, headers }: Answer,
  { kind, words }: Meaning,
  nowMs: number,
  code?: string,
): SendOutcome {
  const reason = `status ${status}${code === undefined ? '' : ` ${code.replaceAll(/[^\x20-\x7e]/g, '').slice(0, 64)}`}: ${words}`;
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

/** The answer's body as JSON, or undefined when it is none (also when it was cut). */
export function jsonOf(answer: { readonly body: Buffer }): unknown {
  try {
    return JSON.parse(answer.body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** A field of an answer's JSON object. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
