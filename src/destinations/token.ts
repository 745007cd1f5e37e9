/**
 * Access tokens that are fetched with a long-lived credential (OAuth 2.0, RFC 6749 §5.1), kept until shortly before they
 * expire. The request goes through the guarded dialler like every other.
 */
import { exchange } from '../lib/net/exchange.ts';
import type { DestinationTools, SendOutcome } from './destination.ts';
import { fieldOf, jsonOf } from './web-answer.ts';
import { USER_AGENT } from './web-send.ts';

/** A token is renewed this long before its end, so that none runs out on its way. */
const EARLY_MS = 60_000;
const DEFAULT_LIFE_S = 600;

export interface TokenSource {
  /** Headers with a token, or why there is none. */
  headers(
    signal: AbortSignal,
  ): Promise<
    | { readonly kind: 'token'; readonly headers: Readonly<Record<string, string>> }
    | Extract<SendOutcome, { kind: 'retry' }>
  >;
  /** The receiver did not accept the token: the next attempt fetches another. */
  forget(): void;
}

/**
 * @param url the token endpoint
 * @param form the request's form, made anew for each token
 */
export function tokenOf(
  url: string,
  form: (nowMs: number) => string,
  tools: DestinationTools,
): TokenSource {
  const { hostname, port, pathname, protocol } = new URL(url);
  let kept: { readonly token: string; readonly untilMs: number } | undefined;
  const fetchToken: TokenSource['headers'] = async (signal) => {
    const nowMs = tools.clock.monotonicMs();
    if (kept && nowMs < kept.untilMs) return bearer(kept.token);
    const result = await exchange(
      {
        secure: protocol === 'https:',
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path: pathname,
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
          'user-agent': USER_AGENT,
        },
        body: [Buffer.from(form(tools.clock.wallMs()))],
      },
      tools,
      signal,
    );
    if (result.kind === 'failed') return { kind: 'retry', reason: `no token: ${result.reason}` };
    const { status } = result;
    const body = jsonOf(result);
    const token = fieldOf(body, 'access_token');
    if (status !== 200 || typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
      const words =
        status === 400 || status === 401 || status === 403
          ? 'the credentials were not accepted by the token service'
          : 'the token service gave no token';
      return { kind: 'retry', reason: `status ${status}: ${words}`, status };
    }
    const life = fieldOf(body, 'expires_in');
    const lifeMs = (typeof life === 'number' && life > 0 ? life : DEFAULT_LIFE_S) * 1_000;
    kept = { token, untilMs: nowMs + Math.max(0, lifeMs - EARLY_MS) };
    return bearer(token);
  };
  return {
    headers: fetchToken,
    forget() {
      kept = undefined;
    },
  };
}

function bearer(token: string) {
  return { kind: 'token', headers: { authorization: `Bearer ${token}` } } as const;
}
