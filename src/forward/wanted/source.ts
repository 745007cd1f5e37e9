/** Asks a server for the wanted set: `GET /v1/wanted`, by long poll. */
import { exchange } from '../../lib/net/exchange.ts';
import type { ExchangeTools } from '../../lib/net/exchange.ts';

type WantedAnswer =
  | { readonly kind: 'document'; readonly text: string }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'failed'; readonly detail: string };

export interface WantedSource {
  /** @param tag what is known already; the server waits for another one for up to `waitMs` */
  ask(tag: string | undefined, waitMs: number, signal: AbortSignal): Promise<WantedAnswer>;
}

export interface HttpSourceOptions {
  readonly url: string;
  readonly token: () => string;
  readonly tools: Omit<ExchangeTools, 'attemptMs' | 'stallMs' | 'responseBytes'>;
  /** How long an answer may take beyond its wait, milliseconds. */
  readonly answerMs: number;
  /** The longest document. A longer one arrives cut, and is then no document. */
  readonly documentBytes: number;
}

export function httpWantedSource(options: HttpSourceOptions): WantedSource {
  const { hostname, port, protocol } = new URL(options.url);
  return {
    async ask(tag, waitMs, signal) {
      const longestMs = waitMs + options.answerMs;
      const result = await exchange(
        {
          secure: protocol === 'https:',
          hostname,
          ...(port === '' ? {} : { port: Number(port) }),
          path: `/v1/wanted?wait=${Math.floor(waitMs / 1000)}`,
          method: 'GET',
          headers: {
            authorization: `Bearer ${options.token()}`,
            accept: 'application/json',
            ...(tag === undefined ? {} : { 'if-none-match': `"${tag}"` }),
          },
          body: [],
        },
        {
          ...options.tools,
          attemptMs: longestMs,
          stallMs: longestMs,
          responseBytes: options.documentBytes,
        },
        signal,
      );
      if (result.kind === 'failed') return { kind: 'failed', detail: result.reason };
      if (result.status === 304) return { kind: 'unchanged' };
      if (result.status === 200) return { kind: 'document', text: result.body.toString('utf8') };
      return { kind: 'failed', detail: `the server answered ${result.status}` };
    },
  };
}
