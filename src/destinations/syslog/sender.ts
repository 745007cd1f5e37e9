/**
 * Writes a batch to a connection of its own, says that it is done, and waits until the receiver ends its side too.
 *
 * Syslog has no answers. But a receiver that has read everything meets our end and closes in good order, and one that
 * dies or stops with something unread resets the connection: so a batch whose connection ends in good order was read whole.
 * What the receiver then makes of it is out of sight; the page says so.
 */
import type { Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { Cancel } from '../../lib/clock.ts';
import { networkReason } from '../../lib/net/network-reason.ts';
import { limits } from '../../model/limits.ts';
import type { Batch, DestinationTools, Sender, SendOutcome } from '../destination.ts';
import { frames } from './frames.ts';
import type { SyslogSettings } from './settings.ts';

/** Handed to the socket at once: small enough that a slow receiver's progress shows. */
const SLICE_BYTES = 64 * 1024;

export function syslogSender(settings: SyslogSettings, tools: DestinationTools): Sender {
  return {
    async send(batch, signal): Promise<SendOutcome> {
      if (signal.aborted) return { kind: 'retry', reason: 'the attempt was stopped' };
      const messages = frames(plainOf(batch), batch, settings.header);
      const failure = await new Transfer(settings, tools).run(messages, signal);
      if (failure !== undefined) return { kind: 'retry', reason: failure };
      return { kind: 'accepted', receipt: `${settings.address} ${batch.id}` };
    },
    close: () => Promise.resolve(),
  };
}

/** Batches come plain; a trial comes as it would for others. */
function plainOf(batch: Batch): Buffer {
  const body = Buffer.concat(batch.body);
  if (batch.encoding === 'identity') return body;
  return gunzipSync(body, { maxOutputLength: limits.deliver.batchBytes });
}

class Transfer {
  readonly #settings: SyslogSettings;
  readonly #tools: DestinationTools;
  readonly #timers: Cancel[] = [];
  #socket: Socket | undefined;
  #progressAt: number;
  #isSent = false;
  #settle: (failure: string | undefined) => void = () => {};

  constructor(settings: SyslogSettings, tools: DestinationTools) {
    this.#settings = settings;
    this.#tools = tools;
    this.#progressAt = tools.clock.monotonicMs();
  }

  /** @returns what went wrong, in plain words */
  async run(messages: Buffer, signal: AbortSignal): Promise<string | undefined> {
    const stop = (): void => this.#settle('the attempt was stopped');
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await new Promise((resolve) => {
        this.#settle = resolve;
        this.#start(messages);
      });
    } finally {
      signal.removeEventListener('abort', stop);
      for (const cancel of this.#timers) cancel();
      this.#socket?.destroy();
    }
  }

  #start(messages: Buffer): void {
    const { clock, attemptMs, stallMs, dialler } = this.#tools;
    const { secure, hostname: host, port, certificates } = this.#settings;
    this.#timers.push(clock.after(attemptMs, () => this.#settle('the attempt took too long')));
    this.#watchForStall(stallMs);
    const socket = dialler.connect({
      secure,
      host,
      port,
      ...(certificates ? { certificates } : {}),
    });
    this.#socket = socket;
    // Errors keep coming after it has been settled; without a listener they would end the process.
    socket.on('error', (error) => this.#settle(this.#explain(networkReason(error))));
    socket.on('close', () => this.#settle('the connection was closed before the end of the batch'));
    // What a receiver says is of no meaning, but its end is only seen when it is read.
    socket.on('data', () => this.#progress());
    socket.on('end', () => {
      if (this.#isSent) this.#settle(undefined);
      else this.#settle('the receiver closed the connection before it had the whole batch');
    });
    socket.once(secure ? 'secureConnect' : 'connect', () => this.#write(messages, 0));
  }

  #explain(reason: string): string {
    return this.#isSent ? `${reason} before the receiver had read the whole batch` : reason;
  }

  #write(messages: Buffer, at: number): void {
    this.#progress();
    const socket = this.#socket;
    if (!socket || socket.destroyed) return;
    if (at >= messages.length) {
      socket.end(() => {
        this.#isSent = true;
        this.#progress();
      });
      return;
    }
    socket.write(messages.subarray(at, at + SLICE_BYTES), (error) => {
      if (!error) this.#write(messages, at + SLICE_BYTES);
    });
  }

  #progress(): void {
    this.#progressAt = this.#tools.clock.monotonicMs();
  }

  #watchForStall(delayMs: number): void {
    const { clock, stallMs } = this.#tools;
    this.#timers[1] = clock.after(delayMs, () => {
      const quietMs = clock.monotonicMs() - this.#progressAt;
      if (quietMs < stallMs) return this.#watchForStall(stallMs - quietMs);
      const what = this.#isSent ? 'the receiver did not end the connection' : 'nothing moved';
      this.#settle(`${what} for ${Math.round(stallMs / 1000)} seconds`);
    });
  }
}
