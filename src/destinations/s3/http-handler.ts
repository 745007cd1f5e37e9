/** The SDK's way to the network: our own exchange, so that the dialler, the bounds and the words are the same as for HTTP. */
import { exchange } from '../../lib/net/exchange.ts';
import type { ExchangeTools } from '../../lib/net/exchange.ts';

/** The exchange brought no status. `message` is fit for a customer. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** The parts of the SDK's request that matter here. */
interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** The SDK may only be given what `send` puts there: a stream of the batch's own buffers, or nothing. */
export function sdkHttpHandler(tools: ExchangeTools) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(
      request: SdkRequest,
      options: { readonly abortSignal?: AbortSignal } = {},
    ): Promise<{ response: SdkResponse }> {
      const headers = { ...request.headers };
      // The agent and the exchange set these themselves; nobody here would wait for 100 Continue.
      delete headers['expect'];
      delete headers['host'];
      delete headers['content-length'];
      const result = await exchange(
        {
          secure: request.protocol === 'https:',
          hostname: request.hostname,
          ...(request.port === undefined ? {} : { port: request.port }),
          path: request.path + queryText(request.query ?? {}),
          method: request.method,
          headers,
          body: await partsOf(request.body),
        },
        tools,
        options.abortSignal ?? new AbortController().signal,
      );
      if (result.kind === 'failed') throw new NoAnswer(result.reason);
      return {
        response: { statusCode: result.status, headers: flat(result.headers), body: result.body },
      };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {},
  };
}

/** The buffers themselves, uncopied. */
async function partsOf(body: unknown): Promise<Uint8Array[]> {
  if (body === undefined || body === null || body === '') return [];
  if (typeof body === 'string') return [Buffer.from(body)];
  if (body instanceof Uint8Array) return [body];
  const parts: Uint8Array[] = [];
  for await (const part of body as AsyncIterable<Uint8Array>) parts.push(part);
  return parts;
}

/** Query in the form that the signature was made over. */
function queryText(query: NonNullable<SdkRequest['query']>): string {
  const escape = (text: string): string =>
    encodeURIComponent(text).replaceAll(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  const pairs = Object.keys(query)
    .sort()
    .flatMap((name) => {
      const value = query[name];
      if (value === null || value === undefined) return [escape(name)];
      const values = typeof value === 'string' ? [value] : value;
      return values.map((one) => `${escape(name)}=${escape(one)}`);
    });
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}

function flat(headers: Readonly<Record<string, string | readonly string[] | undefined>>) {
  const pairs = Object.entries(headers).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : (value ?? []).join(', '),
  ]);
  return Object.fromEntries(pairs) as Record<string, string>;
}
