/** HTTP as drills speak it: one request, one answer, never an exception. */
import { Agent, request } from 'node:http';

/** `status` 0: there was no answer, and `text` says why. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number | undefined;
}

export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly agent?: Agent;
  readonly timeoutMs: number;
}

const ANSWER_BYTES = 32 * 1024 * 1024;

export function keepAliveAgent(sockets: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: sockets });
}

export function ask({ method, url, headers, body, agent, timeoutMs }: Request): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (error: Error) =>
      resolve({ status: 0, text: error.message, retryAfterMs: undefined });
    const deadline = setTimeout(
      () => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)),
      timeoutMs,
    );
    const sent = request(
      url,
      {
        method,
        agent,
        headers: { ...headers, ...(body ? { 'content-length': String(body.length) } : {}) },
      },
      (answer) => {
        const pieces: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (piece: Buffer) => {
          bytes += piece.length;
          if (bytes <= ANSWER_BYTES) pieces.push(piece);
        });
        answer.on('end', () => {
          const seconds = Number(answer.headers['retry-after']);
          resolve({
            status: answer.statusCode ?? 0,
            text: Buffer.concat(pieces).toString('utf8'),
            retryAfterMs: Number.isFinite(seconds) ? seconds * 1_000 : undefined,
          });
        });
        answer.on('error', failed);
      },
    );
    sent.on('error', failed);
    sent.on('close', () => {
      clearTimeout(deadline);
      failed(new Error('the connection was closed'));
    });
    sent.end(body);
  });
}
