/**
 * A producer as an outsider would write one. It makes lines at a steady rate whatever the server does, sends them in
 * bodies, repeats every body that was not answered with 2xx under its key until it is, and remembers what was promised.
 */
import { randomUUID } from 'node:crypto';
import type { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Counter } from './counter.ts';
import { ask, keepAliveAgent } from './http.ts';
import type { Answer } from './http.ts';
import { lineOf } from './lines.ts';
import { nowMs } from './phases.ts';
import type { Phases } from './phases.ts';

/** Bodies of one producer that wait for their answer; with more it makes no new lines. Some megabytes at most. */
const OPEN_BODIES = 512;
const TIMEOUT_MS = 10_000;
const RETRY_MS = 50;
const RETRY_MS_MOST = 1_000;

export interface ProducerOptions {
  readonly zone: string;
  /** Where bodies go, and with which headers: a server and its token, or a forwarder. Asked for each attempt. */
  readonly target: () => {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
  };
  readonly linesPerBody: number;
  readonly bodiesPerSecond: number;
  readonly counter: Counter;
  readonly phases: Phases;
}

interface Accepted {
  readonly accepted?: number;
  readonly unwanted?: number;
  readonly streams?: readonly { readonly repeat?: boolean }[];
}

export class Producer {
  readonly #options: ProducerOptions;
  readonly #agent: Agent = keepAliveAgent(32);
  readonly #open = new Set<Promise<void>>();
  #running: Promise<void> | undefined;
  #stopped = false;
  #abandoned = false;
  /** Attempts beyond the first of a body. */
  retries = 0;
  /** Bodies that the server knew to be repeats: it had stored them before it could say so. */
  recognised = 0;
  /** Bodies that were not made because too many waited. */
  held = 0;
  /** What was said to attempts that were not answered with 2xx, with how often. */
  readonly troubles = new Map<string, number>();

  constructor(options: ProducerOptions) {
    this.#options = options;
  }

  get zone(): string {
    return this.#options.zone;
  }

  start(): void {
    this.#stopped = false;
    this.#running = this.#run();
  }

  /** Makes no more lines; resolves when every body has its answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await Promise.all(this.#open);
    this.#agent.destroy();
  }

  /** Gives up on what is unanswered, so that the drill can end; it was never promised. */
  abandon(): void {
    this.#stopped = true;
    this.#abandoned = true;
  }

  async #run(): Promise<void> {
    const gapMs = 1_000 / this.#options.bodiesPerSecond;
    // A random start, so that producers do not beat in step.
    let dueMs = performance.now() + Math.random() * gapMs;
    while (!this.#stopped) {
      await sleep(Math.max(0, dueMs - performance.now()));
      dueMs = Math.max(dueMs + gapMs, performance.now() - 1_000);
      if (this.#open.size >= OPEN_BODIES) this.held += 1;
      else void this.send(this.#options.linesPerBody);
    }
  }

  /** Makes one body and sends it until it is decided. */
  send(lines: number, madeMs = nowMs()): Promise<void> {
    const { zone, counter } = this.#options;
    const first = counter.next(zone, lines);
    let text = '';
    for (let n = first; n < first + lines; n += 1) text += `${lineOf(zone, n, madeMs)}\n`;
    const sending = this.#sendBody(Buffer.from(text, 'latin1'), first, lines);
    this.#open.add(sending);
    return sending.finally(() => this.#open.delete(sending));
  }

  async #sendBody(body: Buffer, first: number, lines: number): Promise<void> {
    const key = randomUUID();
    const startedMs = nowMs();
    for (let attempt = 0; !this.#abandoned; attempt += 1) {
      if (attempt > 0) this.retries += 1;
      const { url, headers } = this.#options.target();
      const answer = await ask({
        method: 'POST',
        url,
        headers: { ...headers, 'idempotency-key': key, 'content-type': 'application/x-ndjson' },
        body,
        agent: this.#agent,
        timeoutMs: TIMEOUT_MS,
      });
      if (answer.status >= 200 && answer.status < 300) {
        this.#options.phases.at(startedMs).answers.add(nowMs() - startedMs);
        return this.#decided(answer, first, lines);
      }
      this.#trouble(answer);
      if (isFinal(answer.status)) return this.#options.counter.refused(this.zone, lines);
      const waitMs = Math.min(
        RETRY_MS * 2 ** attempt,
        answer.retryAfterMs ?? RETRY_MS_MOST,
        RETRY_MS_MOST,
      );
      await sleep(waitMs * (0.5 + Math.random()));
    }
  }

  #decided({ text }: Answer, first: number, lines: number): void {
    const { counter, zone } = this.#options;
    const {
      accepted = lines,
      unwanted = 0,
      streams = [],
    } = (text === '' ? {} : JSON.parse(text)) as Accepted;
    if (streams.some(({ repeat }) => repeat)) this.recognised += 1;
    if (unwanted > 0) counter.unwanted(zone, unwanted);
    // A body of one stream is taken whole or not at all.
    if (accepted === lines) counter.acked(zone, first, lines);
    else if (accepted > 0)
      throw new Error(`${accepted} of ${lines} lines of one stream were accepted`);
  }

  #trouble({ status, text }: Answer): void {
    const code = /"code":"(\w+)"/.exec(text)?.[1];
    const what = status === 0 ? 'no answer' : `${status}${code ? ` ${code}` : ''}`;
    this.troubles.set(what, (this.troubles.get(what) ?? 0) + 1);
  }
}

/** Whether sending again cannot change the answer. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
