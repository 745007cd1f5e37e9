import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

/** The most of an answer that is read: an answer names each stream of a `?by=` body once. */
const ANSWER_BYTES = 4 * 1024 * 1024;

/** How one POST ended. `failed`: it is not known whether the server took it. */
export type PostOutcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly retryAfterMs: number | undefined;
      readonly body: unknown;
    }
  | { readonly kind: 'failed'; readonly detail: string };

export interface Poster {
  post(
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Buffer,
    timeoutMs: number,
  ): Promise<PostOutcome>;
  close(): void;
}

/**
 * POSTs over kept-alive connections.
 *
 * @param base the server's URL, `http://` or `https://`
 * @param connections how many at most
 * @param ca PEM certificates to trust besides the system's
 */
export function createPoster(base: URL, connections: number, ca?: string): Poster {
  const secure = base.protocol === 'https:';
  const options = { keepAlive: true, maxSockets: connections };
  const agent = secure
    ? new HttpsAgent({ ...options, ...(ca ? { ca } : {}) })
    : new HttpAgent(options);
  const request = secure ? httpsRequest : httpRequest;
  return {
    post: (path, headers, body, timeoutMs) =>
      new Promise((resolve) => {
        const sent = request(
          new URL(path, base),
          {
            method: 'POST',
            agent,
            timeout: timeoutMs,
            headers: { ...headers, 'content-length': body.length },
          },
          (answer) => {
            const pieces: Buffer[] = [];
            let bytes = 0;
            answer.on('data', (piece: Buffer) => {
              bytes += piece.length;
              if (bytes <= ANSWER_BYTES) pieces.push(piece);
            });
            answer.on('end', () =>
              resolve({
                kind: 'answered',
                status: answer.statusCode ?? 0,
                retryAfterMs: seconds(answer.headers['retry-after']),
                body: parse(Buffer.concat(pieces)),
              }),
            );
            answer.on('error', (error) => resolve({ kind: 'failed', detail: error.message }));
          },
        );
        sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)));
        sent.on('error', (error) =>
          resolve({
            kind: 'failed',
            detail: error.message || String((error as NodeJS.ErrnoException).code),
          }),
        );
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}

function seconds(header: string | undefined): number | undefined {
  const value = Number(header);
  return header !== undefined && Number.isFinite(value) && value >= 0 ? value * 1000 : undefined;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
