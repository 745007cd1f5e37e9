/** What a server's answer means for a body. */
import type { ErrorBody } from '../model/errors.ts';
import type { Body } from './body.ts';
import type { PostOutcome } from './post.ts';
import type { BodyResult, StreamResult } from './contract.ts';

interface Answer {
  readonly accepted?: number;
  readonly unwanted?: number;
  readonly quarantined?: number;
  readonly streams?: readonly StreamResult[];
  readonly error?: ErrorBody['error'];
}

/** Lines of a decided body that the server will not take. */
export function refusedLines(result: BodyResult): number {
  if (result.kind === 'refused') return result.lines;
  return result.streams.reduce(
    (sum, stream) => sum + (stream.refused ? (stream.lines ?? 0) : 0),
    0,
  );
}

export type Again = {
  readonly kind: 'again';
  readonly detail: string;
  readonly afterMs: number | undefined;
};

const passes = (status: number) =>
  status === 408 || status === 425 || status === 429 || status >= 500;

export function decide(
  body: Body,
  plain: Buffer,
  outcome: PostOutcome,
  attempts: number,
): BodyResult | Again {
  if (outcome.kind === 'failed')
    return { kind: 'again', detail: outcome.detail, afterMs: undefined };
  const answer = (outcome.body ?? {}) as Answer;
  const ended = { key: body.key, body: plain, lines: body.lines, attempts };
  if (outcome.status >= 200 && outcome.status < 300) {
    // One stream of many may be refused for the time being: the same body under the same key stores just what is missing.
    const wait = answer.streams?.find(
      (stream) => stream.refused?.retryAfterS !== undefined,
    )?.refused;
    if (wait)
      return { kind: 'again', detail: wait.message, afterMs: (wait.retryAfterS ?? 0) * 1000 };
    return {
      kind: 'taken',
      ...ended,
      accepted: answer.accepted ?? 0,
      unwanted: answer.unwanted ?? 0,
      quarantined: answer.quarantined ?? 0,
      streams: answer.streams ?? [],
    };
  }
  const error = answer.error ?? {
    code: 'internal' as const,
    message: `the server answered ${outcome.status}`,
  };
  if (passes(outcome.status))
    return { kind: 'again', detail: error.message, afterMs: outcome.retryAfterMs };
  return {
    kind: 'refused',
    ...ended,
    accepted: 0,
    unwanted: 0,
    quarantined: 0,
    streams: [],
    error,
  };
}
