/** The few calls of the control API that the demo needs. */
import { readFileSync } from 'node:fs';

import type { Server } from './server.ts';

/** One job as `GET /v1/jobs` shows it, as far as the demo looks. */
export interface JobView {
  readonly id: number;
  readonly name: string;
  readonly stream: string;
  readonly status: {
    readonly head: number;
    readonly waitingLines: number;
    readonly oldestWaiting: string | null;
    readonly delivered: number;
    readonly excluded: Readonly<Record<string, number>>;
    readonly errorMessage: string | null;
  } | null;
}

export class Control {
  readonly #server: Server;
  #token: string | undefined;

  constructor(server: Server) {
    this.#server = server;
  }

  put(path: string, body: unknown): Promise<unknown> {
    return this.#call('PUT', path, body);
  }

  post(path: string, body: unknown): Promise<unknown> {
    return this.#call('POST', path, body);
  }

  async jobs(): Promise<readonly JobView[]> {
    const answer = (await this.#call('GET', '/v1/jobs')) as { readonly jobs: readonly JobView[] };
    return answer.jobs;
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    this.#token ??= readFileSync(this.#server.tokenPath, 'utf8').trim();
    const answer = await fetch(`${this.#server.addresses.controlUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(15_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
    return JSON.parse(text) as unknown;
  }
}
