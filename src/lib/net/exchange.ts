/**
 * One HTTP request and its answer with a receiver that may be slow, broken or hostile. Everything is bounded: the time to
 * connect (by the dialler), the time without progress, the time in all, the bytes of the answer. No redirect is followed.
 *
 * What counts is the status line: an answer whose body is cut, stalls or never ends is an answer all the same. A status
 * that arrives before the whole body went out is taken if it refuses, and is no success otherwise.
 */
import { request as httpRequest } from './node-http.ts';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../clock.ts';
import type { GuardedDialler } from './dialler.ts';
import { networkCode, networkReason } from './network-reason.ts';

export interface ExchangeRequest {
  readonly secure: boolean;
  /** A name or an address; IPv6 with or without brackets. */
  readonly hostname: string;
  readonly port?: number;
  /** With the query. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: readonly Uint8Array[];
  /** Called at most once, with an answer: all of the body is with the system by then, and nothing here looks at it any more. */
  readonly sent?: () => void;
}

export interface ExchangeTools {
  readonly dialler: GuardedDialler;
  readonly clock: Clock;
  /** From the start to the last byte of the answer. */
  readonly attemptMs: number;
  /** Without progress in either direction. */
  readonly stallMs: number;
  /** Bytes of the answer's body that are read; the rest is not waited for. */
  readonly responseBytes: number;
}

export type ExchangeResult =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      /** At most `responseBytes`; shorter than sent when the answer was cut. */
      readonly body: Buffer;
    }
  /**
   * No status, or none that says anything. `reason` is fit for a customer. `mayHaveArrived`: the whole request was handed to
   * a connection that stood, so that the receiver may have acted on it; absent: it certainly has not.
   */
  | { readonly kind: 'failed'; readonly reason: string; readonly mayHaveArrived?: true };

/** Bytes handed to the socket at once: few enough that a slow receiver's progress shows. */
const HANDFUL_BYTES = 64 * 1024;

/** Slices of the body that are handed over together. */
type Handful = readonly Uint8Array[];

/** What a connection that had died while it rested looks like. */
const STALE = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/**
 * Sends the request and waits for its answer. Never rejects: failures of the outside are values.
 *
 * A connection that was kept from an earlier request may have been closed by the peer just then; such a request is sent
 * once more on another connection, which repeats nothing that the caller's own retry would not.
 */
export async function exchange(
  request: ExchangeRequest,
  tools: ExchangeTools,
  signal: AbortSignal,
): Promise<ExchangeResult> {
  const deadline = tools.clock.monotonicMs() + tools.attemptMs;
  for (;;) {
    const result = await new Exchange(request, tools, deadline).run(signal);
    if (result !== 'stale') return result;
  }
}

class Exchange {
  readonly #request: ExchangeRequest;
  readonly #tools: ExchangeTools;
  readonly #deadline: number;
  readonly #timers: Cancel[] = [];
  readonly #chunks: Buffer[] = [];
  #outgoing: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #readBytes = 0;
  #sentAll = false;
  /** Whether the system has taken all of it, so that the socket holds nothing on. */
  #isFlushed = false;
  #connected = false;
  #progressAt: number;
  #settle: (result: ExchangeResult | 'stale') => void = () => {};

  constructor(request: ExchangeRequest, tools: ExchangeTools, deadline: number) {
    this.#request = request;
    this.#tools = tools;
    this.#deadline = deadline;
    this.#progressAt = tools.clock.monotonicMs();
  }

  async run(signal: AbortSignal): Promise<ExchangeResult | 'stale'> {
    if (signal.aborted) return { kind: 'failed', reason: 'the attempt was stopped' };
    const stop = (): void => this.#fail('the attempt was stopped');
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await new Promise((resolve) => {
        this.#settle = resolve;
        this.#start();
      });
    } finally {
      signal.removeEventListener('abort', stop);
      for (const cancel of this.#timers) cancel();
    }
  }

  #start(): void {
    const { clock } = this.#tools;
    const leftMs = Math.max(0, this.#deadline - clock.monotonicMs());
    this.#timers.push(clock.after(leftMs, () => this.#giveUp('the attempt took too long')));
    this.#watchForStall(this.#tools.stallMs);
    const outgoing = this.#open();
    this.#outgoing = outgoing;
    outgoing.on('socket', (socket) => this.#watchConnection(outgoing, socket));
    outgoing.on('response', (answer) => this.#onAnswer(answer));
    // Errors keep coming after the request has been settled; without a listener they would end the process.
    outgoing.on('error', (error) => this.#onError(error));
    outgoing.on('close', () => this.#onError(undefined));
    this.#write(handfuls(this.#request.body), 0);
  }

  #watchConnection(outgoing: ClientRequest, socket: Socket): void {
    if (outgoing.reusedSocket) this.#connected = true;
    else {
      socket.once(this.#request.secure ? 'secureConnect' : 'connect', () => {
        this.#connected = true;
      });
    }
  }

  #open(): ClientRequest {
    const { secure, hostname, port, path, method, headers } = this.#request;
    const { dialler } = this.#tools;
    const bytes = this.#request.body.reduce((sum, part) => sum + part.length, 0);
    const options = {
      hostname: hostname.replace(/^\[|\]$/g, ''),
      path,
      method,
      headers: { ...headers, 'content-length': String(bytes) },
      ...(port === undefined ? {} : { port }),
    };
    return secure
      ? httpsRequest({ ...options, agent: dialler.httpsAgent })
      : httpRequest({ ...options, agent: dialler.httpAgent });
  }

  /** Hands over handful after handful; the last one ends the request. */
  #write(parts: readonly Handful[], index: number): void {
    const outgoing = this.#outgoing;
    if (!outgoing || outgoing.destroyed || this.#answer) return;
    const handful = parts[index] ?? [];
    const isLast = index >= parts.length - 1;
    if (isLast) this.#sentAll = true;
    // Head and small parts leave in one piece: each by itself is a system call here and a packet on the way.
    outgoing.cork();
    for (const part of handful.slice(0, -1)) outgoing.write(part);
    const last = handful.at(-1);
    // Its end lets everything go by itself.
    if (isLast) return void outgoing.end(last, () => this.#onFlushed());
    outgoing.write(last, (error) => {
      this.#progress();
      if (!error) this.#write(parts, index + 1);
    });
    outgoing.uncork();
  }

  #onFlushed(): void {
    this.#isFlushed = true;
    this.#progress();
  }

  #onAnswer(answer: IncomingMessage): void {
    this.#answer = answer;
    this.#progress();
    if (!this.#sentAll && (answer.statusCode ?? 0) < 300) {
      this.#fail('the receiver answered before it had the whole batch');
      return;
    }
    // A trickle is progress, but there is nothing more to learn: the rest of the answer has one stall's time in all.
    this.#timers.push(this.#tools.clock.after(this.#tools.stallMs, () => this.#finish()));
    answer.on('data', (chunk: Buffer) => this.#onData(chunk));
    answer.on('end', () => this.#finish());
    answer.on('error', () => this.#finish());
    answer.on('close', () => this.#finish());
  }

  #onData(chunk: Buffer): void {
    this.#progress();
    const room = this.#tools.responseBytes - this.#readBytes;
    this.#chunks.push(chunk.subarray(0, room));
    this.#readBytes += Math.min(chunk.length, room);
    if (chunk.length >= room) this.#finish();
  }

  #onError(error: unknown): void {
    if (this.#answer) return this.#finish();
    const code = networkCode(error);
    if (this.#outgoing?.reusedSocket && (code === undefined || STALE.has(code))) {
      this.#outgoing.destroy();
      return this.#settle('stale');
    }
    this.#fail(
      error === undefined ? 'the connection was closed without an answer' : this.#explain(error),
    );
  }

  #explain(error: unknown): string {
    const reason = networkReason(error);
    if (!STALE.has(networkCode(error) ?? '')) return reason;
    return this.#sentAll
      ? `${reason} before an answer came`
      : `${reason} while the batch was being sent`;
  }

  /** Time is up: with a status in hand that is an answer, otherwise a failure. */
  #giveUp(reason: string): void {
    if (this.#answer) this.#finish();
    else this.#fail(reason);
  }

  #fail(reason: string): void {
    const arrived = this.#connected && this.#sentAll;
    this.#settle({ kind: 'failed', reason, ...(arrived ? { mayHaveArrived: true } : {}) });
    this.#outgoing?.destroy();
  }

  #finish(): void {
    const answer = this.#answer;
    if (!answer) return;
    const body = Buffer.concat(this.#chunks);
    if (this.#isFlushed) this.#request.sent?.();
    this.#isFlushed = false;
    this.#settle({ kind: 'answer', status: answer.statusCode ?? 0, headers: answer.headers, body });
    // Read to its end, the connection goes back to the agent; otherwise it is of no more use.
    if (!answer.complete || !this.#sentAll) this.#outgoing?.destroy();
  }

  #progress(): void {
    this.#progressAt = this.#tools.clock.monotonicMs();
  }

  /** One timer for the whole exchange: it looks when the last progress was, and waits for the rest. */
  #watchForStall(delayMs: number, lastLook = false): void {
    const { clock, stallMs } = this.#tools;
    this.#timers[1] = clock.after(delayMs, () => {
      const quietMs = clock.monotonicMs() - this.#progressAt;
      if (quietMs < stallMs) this.#watchForStall(stallMs - quietMs);
      // When this thread was busy, timers come before what waits at the sockets: those have their turn first.
      else if (!lastLook) this.#watchForStall(1, true);
      else this.#giveUp(`nothing moved for ${Math.round(stallMs / 1000)} seconds`);
    });
  }
}

/** The body in handfuls of slices. */
function handfuls(body: readonly Uint8Array[]): Handful[] {
  const all: Uint8Array[][] = [];
  let room = 0;
  for (const part of body) {
    for (let at = 0; at < part.length;) {
      if (room === 0) {
        all.push([]);
        room = HANDFUL_BYTES;
      }
      const slice = part.subarray(at, at + room);
      all.at(-1)!.push(slice);
      room -= slice.length;
      at += slice.length;
    }
  }
  return all;
}
