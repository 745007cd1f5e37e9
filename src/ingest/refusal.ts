import { ERRORS } from '../model/errors.ts';
import type { ErrorBody, ErrorCode } from '../model/errors.ts';

/** Why a request, or one stream of it, is not taken. */
export interface Refusal {
  readonly code: ErrorCode;
  /** Particulars that follow the code's own text. Never a byte of a customer's line, never a secret. */
  readonly detail?: string;
  /** 1-based line of the body. */
  readonly line?: number;
  /** Name of the parameter or header that is wrong. */
  readonly path?: string;
  /** When to send again, in seconds; only for refusals that pass by themselves. */
  readonly retryAfterS?: number;
}

/** When to come back after a refusal for want of memory: bodies are held for milliseconds. */
const MEMORY_RETRY_S = 1;

export function outOfMemory(code: 'over_fair_share' | 'overloaded'): Refusal {
  return { code, retryAfterS: MEMORY_RETRY_S };
}

/** Of an account over its part of the rate. */
export function overRate(waitMs: number): Refusal {
  return { code: 'over_fair_share', retryAfterS: Math.max(1, Math.ceil(waitMs / 1_000)) };
}

/** A refusal as it stands in an answer. */
export function refusalBody(refusal: Refusal): ErrorBody['error'] {
  const { code, detail, line, path, retryAfterS } = refusal;
  return {
    code,
    message: detail === undefined ? ERRORS[code].text : `${ERRORS[code].text} ${detail}`,
    ...(line !== undefined && { line }),
    ...(path !== undefined && { path }),
    ...(retryAfterS !== undefined && { retryAfterS }),
  };
}

/**
 * The one refusal that stands for several in the answer's status: when all of them pass by themselves, one that does, the
 * most general first (503 before 429); otherwise the first that does not, since sending again would not help it.
 */
export function spokesman(refusals: readonly Refusal[]): Refusal | undefined {
  const lasting = refusals.find((refusal) => refusal.retryAfterS === undefined);
  if (lasting !== undefined) return lasting;
  return refusals.find((refusal) => ERRORS[refusal.code].status === 503) ?? refusals[0];
}
