/** What a receiver's status means for a batch, as data. The page docs/destinations/http.md shows the same table. */
import type { SendOutcome } from '../destination.ts';

interface AnswerRow {
  readonly from: number;
  readonly to: number;
  readonly kind: SendOutcome['kind'];
  readonly words: string;
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
  { from: 500, to: 599, kind: 'retry', words: 'the receiver is in trouble' },
  { from: 100, to: 999, kind: 'retry', words: 'not a status that means anything here' },
];

export function answerFor(status: number): AnswerRow {
  const row = ANSWERS.find(({ from, to }) => status >= from && status <= to);
  return row ?? { from: status, to: status, kind: 'retry', words: 'not an HTTP status' };
}
