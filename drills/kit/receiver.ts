/**
 * A customer's own HTTP receiver, with the troubles that receivers have. It unpacks every batch, counts its lines by
 * number, and knows repeats by their batch id, as a customer would.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32, gunzipSync } from 'node:zlib';

import type { Counter } from './counter.ts';
import { linesIn } from './lines.ts';
import { nowMs } from './phases.ts';
import type { Phases } from './phases.ts';

/** How it behaves until told otherwise. */
export type Manner =
  | { readonly kind: 'well' }
  /** Reads a batch at this pace, and answers then. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  | { readonly kind: 'refuses'; readonly status: number }
  /** Answers 400 to a batch that holds such a line. */
  | { readonly kind: 'picky'; readonly dislikes: (line: string) => boolean };

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface ReceiverOptions {
  readonly zone: string;
  readonly counter: Counter;
  readonly phases: Phases;
  /** What a line may wait for its batch to close. */
  readonly intervalMs: number;
  readonly certificate?: Certificate;
}

/** Batch ids remembered: more than any drill makes. */
const IDS = 200_000;

export class Receiver {
  manner: Manner = { kind: 'well' };
  /** Batches that were taken, each once. */
  batches = 0;
  /** Batches that came once more under their id, the same to the byte. */
  repeats = 0;
  /** Requests that were refused or broken off. */
  refusals = 0;
  /** What no receiver should see. */
  readonly complaints: string[] = [];
  /** Lines that are to vanish as if they had never come: how the counter is tried. */
  takeAway = 0;
  readonly #options: ReceiverOptions;
  readonly #seen = new Map<string, number>();
  #server: HttpServer | HttpsServer;
  #port = 0;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#server = this.#made(options.certificate);
  }

  get zone(): string {
    return this.#options.zone;
  }

  get url(): string {
    const { certificate, zone } = this.#options;
    return `${certificate ? 'https://localhost' : 'http://127.0.0.1'}:${this.#port}/in/${zone}`;
  }

  /** Opens the port, the same as before if there was one. */
  async open(certificate = this.#options.certificate): Promise<void> {
    this.#server = this.#made(certificate);
    await new Promise<void>((ready, failed) => {
      this.#server.once('error', failed);
      this.#server.listen(this.#port, '127.0.0.1', ready);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody answers at the port any more; connections break. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((done) => this.#server.close(done));
    this.#server.closeAllConnections();
    await closed;
  }

  #made(certificate: Certificate | undefined): HttpServer | HttpsServer {
    const take = (request: IncomingMessage, answer: ServerResponse) => {
      this.#take(request).then(
        (status) => answer.writeHead(status).end(),
        () => {
          this.refusals += 1;
          answer.destroy();
        },
      );
    };
    return certificate ? createTlsServer({ ...certificate }, take) : createServer(take);
  }

  async #take(request: IncomingMessage): Promise<number> {
    const pieces: Buffer[] = [];
    for await (const piece of request) {
      pieces.push(piece as Buffer);
      if (this.manner.kind === 'slow') {
        await sleep(((piece as Buffer).length * 1_000) / this.manner.bytesPerSecond);
      }
    }
    const { manner } = this;
    if (manner.kind === 'refuses') {
      this.refusals += 1;
      return manner.status;
    }
    const body = Buffer.concat(pieces);
    const lines = [...linesIn(gunzipSync(body))];
    if (manner.kind === 'picky' && lines.some(manner.dislikes)) {
      this.refusals += 1;
      return 400;
    }
    this.#keep(request, body, lines);
    return 200;
  }

  #keep(request: IncomingMessage, body: Buffer, lines: readonly string[]): void {
    const id = String(request.headers['waybill-batch-id']);
    const sum = crc32(body);
    const before = this.#seen.get(id);
    if (before !== undefined) {
      this.repeats += 1;
      if (before !== sum) this.complaints.push(`batch ${id} came again with other bytes`);
      return;
    }
    if (lines.length !== Number(request.headers['waybill-lines'])) {
      this.complaints.push(`batch ${id} holds ${lines.length} lines and says otherwise`);
    }
    if (this.#seen.size < IDS) this.#seen.set(id, sum);
    this.batches += 1;
    const { counter, phases, zone, intervalMs } = this.#options;
    const arrivedMs = nowMs();
    for (const line of lines) {
      if (this.takeAway > 0) {
        this.takeAway -= 1;
        continue;
      }
      const madeMs = counter.arrived(zone, line);
      if (madeMs !== undefined) {
        phases.arrived(zone, madeMs, arrivedMs - madeMs - intervalMs);
      }
    }
  }
}
