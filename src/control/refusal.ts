/** Refusals as values: one form, which `/v1` and `/client/v4` each put into their own envelope. */
import { ERRORS } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';

export interface Refusal {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  /** Plain words for the caller. Never a secret, never what he sent. */
  readonly message: string;
  /** Which field, as a path: `output_options.sample_rate`. */
  readonly path?: string;
  /** What a change that the guard refuses would do; see `guard/refusal.ts`. */
  readonly guard?: Readonly<Record<string, unknown>>;
}

export function refuse(
  code: ErrorCode,
  message: string = ERRORS[code].text,
  path?: string,
): Refusal {
  return { kind: 'refused', code, message, ...(path === undefined ? {} : { path }) };
}
