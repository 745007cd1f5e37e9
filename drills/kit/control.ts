/** The control API, as far as drills need it. */
import type { Agent } from 'node:http';

import { ask, keepAliveAgent } from './http.ts';

/** One job as `GET /v1/jobs/{job}` shows it, as far as drills look. */
export interface JobView {
  readonly id: number;
  readonly stream: string;
  readonly enabled: boolean;
  readonly status: {
    readonly activity: string;
    readonly waitingLines: number;
    readonly delivered: number;
    readonly errorMessage: string | null;
  } | null;
}

type Reasons = Readonly<Record<string, number>>;

/** A job's books, in lines. */
export interface Books {
  readonly accepted: number;
  readonly delivered: number;
  readonly excluded: Reasons;
  readonly dropped: Reasons;
  readonly waiting: number;
  readonly balanced: boolean;
}

/** An answer with its time. `json` is undefined when there was none, or no JSON. */
export interface Told {
  readonly status: number;
  readonly text: string;
  readonly json: unknown;
  readonly ms: number;
}

const TIMEOUT_MS = 30_000;

export class Control {
  readonly #url: () => string;
  readonly #token: () => string;
  readonly #agent: Agent = keepAliveAgent(16);

  constructor(url: () => string, token: () => string) {
    this.#url = url;
    this.#token = token;
  }

  /** Asks as operator, or with another token. Refusals are answers. */
  async ask(
    method: string,
    path: string,
    {
      body,
      token = this.#token(),
      headers = {},
      timeoutMs = TIMEOUT_MS,
    }: {
      readonly body?: unknown;
      readonly token?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
    } = {},
  ): Promise<Told> {
    const startedMs = performance.now();
    const { status, text } = await ask({
      method,
      url: `${this.#url()}${path}`,
      headers: {
        ...headers,
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
      },
      agent: this.#agent,
      timeoutMs,
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
    });
    return { status, text, json: parsed(text), ms: performance.now() - startedMs };
  }

  /** Asks for what must be answered with 2xx. */
  async must<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const { status, text, json } = await this.ask(method, path, { body, headers });
    if (status < 200 || status >= 300) {
      throw new Error(`${method} ${path} was answered ${status}: ${text.slice(0, 500)}`);
    }
    return json as T;
  }

  job(id: number): Promise<JobView> {
    return this.must('GET', `/v1/jobs/${id}`);
  }

  async books(id: number): Promise<Books> {
    const { total } = await this.must<{ readonly total: Books }>('GET', `/v1/jobs/${id}/ledger`);
    return total;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function sum(counts: Reasons): number {
  return Object.values(counts).reduce((all, lines) => all + lines, 0);
}
