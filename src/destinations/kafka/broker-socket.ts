/**
 * One connection to a broker: requests go out one after the other, answers come back in the same order. Everything is bounded:
 * an answer's bytes, and the time without progress while one is waited for.
 */
import type { Socket } from 'node:net';
import type { Cancel } from '../../lib/clock.ts';
import type { DialTarget } from '../../lib/net/dialler.ts';
import { networkCode, networkReason } from '../../lib/net/network-reason.ts';
import { limits } from '../../model/limits.ts';
import type { DestinationTools } from '../destination.ts';
import { requestHead } from './requests.ts';
import type { Api } from './requests.ts';
import { WireReader } from './wire.ts';

export type BrokerAnswer = { readonly kind: 'answer'; readonly reader: WireReader } | BrokerFailure;

export interface BrokerFailure {
  readonly kind: 'failed';
  /** In plain words, for the owner of the destination. */
  readonly reason: string;
  /** A connection that had rested was found dead before anything was answered: another one may do. */
  readonly isStale: boolean;
}

export type BrokerTools = Pick<DestinationTools, 'dialler' | 'clock' | 'stallMs'>;

/** Handed to the socket at once: small enough that a slow broker's progress shows. */
const SLICE_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;
const CORRELATION_BYTES = 4;
const CUT = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

interface Waiting {
  readonly correlation: number;
  readonly settle: (answer: BrokerAnswer) => void;
}

export class BrokerSocket {
  readonly #tools: BrokerTools;
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #chunks: Buffer[] = [];
  #bytes = 0;
  #correlation = 0;
  #answered = 0;
  #isReused = false;
  #isOpen = true;
  #progressAt: number;
  #cancelStall: Cancel | undefined;
  #cancelIdle: Cancel | undefined;

  private constructor(socket: Socket, tools: BrokerTools) {
    this.#tools = tools;
    this.#socket = socket;
    this.#progressAt = tools.clock.monotonicMs();
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', (error) => this.#fail(explain(error, this.#answered)));
    socket.on('close', () => this.#fail(explain(undefined, this.#answered)));
  }

  /** Dials, with TLS or without. The dialler bounds the time that it takes. */
  static open(target: DialTarget, tools: BrokerTools): Promise<BrokerSocket | BrokerFailure> {
    const { secure } = target;
    const socket = tools.dialler.connect(target);
    return new Promise((resolve) => {
      const failed = (error?: unknown): void => {
        const reason =
          error === undefined ? 'the connection was closed at once' : networkReason(error);
        resolve({ kind: 'failed', reason, isStale: false });
      };
      // Errors keep coming after it has been settled; without a listener they would end the process.
      socket.on('error', failed);
      socket.once('close', () => failed());
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        resolve(new BrokerSocket(socket, tools));
      });
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  /** Never rejects. */
  request(api: Api, version: number, body: readonly Buffer[]): Promise<BrokerAnswer> {
    if (!this.#isOpen) {
      return Promise.resolve({
        kind: 'failed',
        reason: 'the connection was closed',
        isStale: this.#isReused,
      });
    }
    this.#cancelIdle?.();
    if (this.#cancelIdle) this.#tools.dialler.wake(this.#socket);
    this.#cancelIdle = undefined;
    const correlation = (this.#correlation = (this.#correlation + 1) & 0x7fffffff);
    return new Promise((settle) => {
      this.#waiting.push({ correlation, settle });
      if (this.#waiting.length === 1) this.#watch(this.#tools.stallMs);
      this.#progress();
      const bytes = body.reduce((sum, part) => sum + part.length, 0);
      this.#write([requestHead(api, version, correlation, bytes), ...body]);
    });
  }

  /** Ends the connection; what is waited for fails with `reason`. */
  destroy(reason: string): void {
    this.#fail(reason);
  }

  #write(parts: readonly Buffer[]): void {
    for (const part of parts) {
      for (let at = 0; at < part.length; at += SLICE_BYTES) {
        this.#socket.write(part.subarray(at, at + SLICE_BYTES), (error) => {
          if (!error) this.#progress();
        });
      }
    }
  }

  #onData(chunk: Buffer): void {
    this.#progress();
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= LENGTH_BYTES) {
      const held = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
      this.#chunks = [held];
      const length = held.readInt32BE(0);
      if (length < CORRELATION_BYTES || length > limits.kafka.answerBytes)
        return this.#fail('what answers does not speak Kafka’s protocol, or TLS is wanted or not');
      const end = LENGTH_BYTES + length;
      if (held.length < end) return;
      this.#chunks = [held.subarray(end)];
      this.#bytes -= end;
      this.#onAnswer(held.subarray(LENGTH_BYTES, end));
      if (!this.#isOpen) return;
    }
  }

  #onAnswer(answer: Buffer): void {
    const first = this.#waiting.shift();
    if (first === undefined || first.correlation !== answer.readInt32BE(0)) {
      first?.settle({
        kind: 'failed',
        reason: 'the broker’s answer is to nothing',
        isStale: false,
      });
      return this.#fail('the broker’s answer is to nothing that was asked');
    }
    this.#answered += 1;
    const reader = new WireReader(answer.subarray(CORRELATION_BYTES));
    first.settle({ kind: 'answer', reader });
    if (this.#waiting.length === 0) this.#rest();
  }

  /** Nothing is under way: the connection may be kept for a while, if there is room for one more. */
  #rest(): void {
    this.#cancelStall?.();
    this.#cancelStall = undefined;
    this.#isReused = true;
    const { dialler, clock } = this.#tools;
    if (!dialler.rest(this.#socket)) return this.#fail('the connection was closed');
    this.#cancelIdle = clock.after(limits.deliver.idleMs, () =>
      this.#fail('the connection was closed'),
    );
  }

  #fail(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#cancelStall?.();
    this.#cancelIdle?.();
    this.#socket.destroy();
    this.#chunks = [];
    const isStale = this.#isReused;
    for (const { settle } of this.#waiting.splice(0)) settle({ kind: 'failed', reason, isStale });
  }

  #progress(): void {
    this.#progressAt = this.#tools.clock.monotonicMs();
  }

  #watch(delayMs: number): void {
    const { clock, stallMs } = this.#tools;
    this.#cancelStall = clock.after(delayMs, () => {
      const quietMs = clock.monotonicMs() - this.#progressAt;
      if (quietMs < stallMs) return this.#watch(stallMs - quietMs);
      this.#fail(`nothing moved for ${Math.round(stallMs / 1000)} seconds`);
    });
  }
}

/** A broker that wants a log-in closes without a word at the first request that is not one. */
function explain(error: unknown, answered: number): string {
  const isCut = error === undefined || CUT.has(networkCode(error) ?? '');
  if (!isCut) return networkReason(error);
  return answered > 1
    ? 'the connection was cut before an answer came'
    : 'the connection was cut before an answer came (a broker does so when it wants TLS, a client certificate or another log-in)';
}
