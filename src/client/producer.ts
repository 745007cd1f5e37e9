import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { systemRandom } from '../lib/random.ts';
import type { ErrorBody } from '../model/errors.ts';
import type { Scope } from '../model/scope.ts';
import { SCOPE_PATH } from '../model/scope.ts';
import { createPoster } from './post.ts';
import type { PostOutcome, Poster } from './post.ts';

/** Whose lines they are: one stream, or many zones told apart by a field's value. */
export type Target =
  | { readonly scope: Scope; readonly dataset: string }
  | { readonly by: string; readonly dataset: string };

export interface ProducerOptions {
  /** The server's ingest URL, such as `http://127.0.0.1:4510`. */
  readonly url: string;
  /** An ingest token for the target. */
  readonly token: string;
  readonly target: Target;
  /** Keep lines of the wrong shape apart instead of refusing their body. */
  readonly quarantine?: boolean;
  /** @default "none" */
  readonly compression?: 'none' | 'gzip' | 'zstd';
  /** A body is sent when it has this many plain bytes. @default 1 MiB */
  readonly bodyBytes?: number;
  /** ... or when its first line has waited this long. @default 200 */
  readonly lingerMs?: number;
  /** Bodies under way at once. @default 4 */
  readonly connections?: number;
  /** Bytes held until they are answered; `write` waits above it. @default 32 MiB */
  readonly heldBytes?: number;
  /** Time for one attempt of one body. @default 30,000 */
  readonly timeoutMs?: number;
  /** PEM certificates to trust besides the system's. */
  readonly ca?: string;
  /** Told of every body once it is decided. */
  readonly onResult?: (result: BodyResult) => void;
  /** Told of every attempt that will be repeated. */
  readonly onRetry?: (detail: string, afterMs: number) => void;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly poster?: Poster;
}

/** What one stream's part of a body came to. */
export interface StreamResult {
  readonly stream: string;
  readonly accepted: number;
  readonly epoch?: string;
  readonly offsets?: { readonly from: number; readonly to: number };
  /** The server had stored them before, under the same key. */
  readonly repeat?: boolean;
  readonly refused?: ErrorBody['error'];
  readonly lines?: number;
}

/** How a body ended. `body` is what was written, so that a refused one can be looked at, mended and written again. */
export interface BodyResult {
  readonly kind: 'taken' | 'refused';
  readonly key: string;
  readonly body: Buffer;
  readonly lines: number;
  readonly accepted: number;
  readonly unwanted: number;
  readonly quarantined: number;
  readonly streams: readonly StreamResult[];
  readonly attempts: number;
  /** For `refused`: why, and that sending it again will not help. */
  readonly error?: ErrorBody['error'];
}

export interface ProducerTotals {
  readonly written: number;
  readonly accepted: number;
  readonly unwanted: number;
  readonly quarantined: number;
  readonly refused: number;
  readonly bodies: number;
  readonly retries: number;
}

/**
 * Sends lines so that each is stored once: bodies carry an idempotency key, and one that is not answered, or is refused for
 * the time being, is sent again under the same key until it is decided.
 */
export interface Producer {
  /** Takes one line or several, each ended by a newline (the last one's may be missing). Waits while too much is held. */
  write(lines: Buffer | string): Promise<void>;
  /** Resolves when everything written so far is decided. */
  flush(): Promise<void>;
  totals(): ProducerTotals;
  /** Flushes and lets go of the connections. */
  close(): Promise<void>;
}

const RETRY_MS = 200;
const RETRY_MS_MOST = 10_000;
const NEWLINE = 10;

interface Body {
  readonly key: string;
  readonly bytes: Buffer;
  readonly lines: number;
}

export function createProducer(options: ProducerOptions): Producer {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const connections = options.connections ?? 4;
  const bodyBytes = options.bodyBytes ?? 1 << 20;
  const heldMost = options.heldBytes ?? 32 << 20;
  const poster = options.poster ?? createPoster(new URL(options.url), connections, options.ca);
  const path = pathOf(options);
  const prefix = random.bytes(9).toString('base64url');

  let parts: Buffer[] = [];
  let partsBytes = 0;
  let partsLines = 0;
  let stopLinger: (() => void) | undefined;
  const queue: Body[] = [];
  let held = 0;
  let underWay = 0;
  let bodies = 0;
  let waiters: (() => void)[] = [];
  const totals = {
    written: 0,
    accepted: 0,
    unwanted: 0,
    quarantined: 0,
    refused: 0,
    bodies: 0,
    retries: 0,
  };

  const wake = () => {
    const woken = waiters;
    waiters = [];
    for (const waiter of woken) waiter();
  };
  const changed = () => new Promise<void>((resolve) => waiters.push(resolve));

  function seal(): void {
    stopLinger?.();
    stopLinger = undefined;
    if (partsBytes === 0) return;
    queue.push({
      key: `${prefix}-${++bodies}`,
      bytes: parts.length === 1 ? parts[0]! : Buffer.concat(parts),
      lines: partsLines,
    });
    parts = [];
    partsBytes = 0;
    partsLines = 0;
    pump();
  }

  function pump(): void {
    while (underWay < connections && queue.length > 0) {
      const body = queue.shift()!;
      underWay++;
      void deliver(body).then((result) => {
        underWay--;
        held -= body.bytes.length;
        totals.bodies++;
        totals.accepted += result.accepted;
        totals.unwanted += result.unwanted;
        totals.quarantined += result.quarantined;
        totals.refused += refusedLines(result);
        options.onResult?.(result);
        pump();
        wake();
      });
    }
  }

  async function deliver(body: Body): Promise<BodyResult> {
    const { bytes, headers } = await encode(body, options);
    for (let attempt = 1; ; attempt++) {
      const outcome = await poster.post(path, headers, bytes, options.timeoutMs ?? 30_000);
      const decided = decide(body, outcome, attempt);
      if (decided.kind !== 'again') return decided;
      const backoffMs =
        random.fraction() * Math.min(RETRY_MS_MOST, RETRY_MS * 2 ** Math.min(attempt, 10));
      const afterMs = Math.min(Math.max(backoffMs, decided.afterMs ?? 0), 60_000);
      totals.retries++;
      options.onRetry?.(decided.detail, afterMs);
      await clock.sleep(afterMs);
    }
  }

  return {
    async write(lines) {
      const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines;
      if (bytes.length === 0) return;
      while (held > 0 && held + bytes.length > heldMost) await changed();
      const count = countLines(bytes);
      totals.written += count;
      for (const piece of cut(bytes, bodyBytes)) {
        if (partsBytes > 0 && partsBytes + piece.length > bodyBytes) seal();
        parts.push(piece);
        partsBytes += piece.length;
        partsLines += countLines(piece);
        held += piece.length;
        if (piece.at(-1) !== NEWLINE) {
          parts.push(Buffer.from('\n'));
          partsBytes++;
          held++;
        }
        if (partsBytes >= bodyBytes) seal();
      }
      if (partsBytes > 0) stopLinger ??= clock.after(options.lingerMs ?? 200, seal);
    },
    async flush() {
      seal();
      while (underWay > 0 || queue.length > 0) await changed();
    },
    totals: () => ({ ...totals }),
    async close() {
      await this.flush();
      poster.close();
    },
  };
}

function pathOf({ target, quarantine }: ProducerOptions): string {
  const query = quarantine ? 'invalid=quarantine' : '';
  if ('by' in target)
    return `/v1/ingest/${target.dataset}?by=${encodeURIComponent(target.by)}${query ? `&${query}` : ''}`;
  return `/v1/ingest/${SCOPE_PATH[target.scope.kind]}/${target.scope.id}/${target.dataset}${query ? `?${query}` : ''}`;
}

const gzipped = promisify<Buffer, Buffer>(gzip);
const zstdCompressed = promisify<Buffer, Buffer>(zstdCompress);

async function encode(
  body: Body,
  options: ProducerOptions,
): Promise<{ bytes: Buffer; headers: Record<string, string> }> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${options.token}`,
    'content-type': 'application/x-ndjson',
    'idempotency-key': body.key,
  };
  switch (options.compression ?? 'none') {
    case 'none':
      return { bytes: body.bytes, headers };
    case 'gzip':
      return {
        bytes: await gzipped(body.bytes),
        headers: { ...headers, 'content-encoding': 'gzip' },
      };
    case 'zstd':
      return {
        bytes: await zstdCompressed(body.bytes),
        headers: { ...headers, 'content-encoding': 'zstd' },
      };
  }
}

interface Answer {
  readonly accepted?: number;
  readonly unwanted?: number;
  readonly quarantined?: number;
  readonly streams?: readonly StreamResult[];
  readonly error?: ErrorBody['error'];
}

/** Lines of a decided body that the server will not take. */
function refusedLines(result: BodyResult): number {
  if (result.kind === 'refused') return result.lines;
  return result.streams.reduce(
    (sum, stream) => sum + (stream.refused ? (stream.lines ?? 0) : 0),
    0,
  );
}

type Again = {
  readonly kind: 'again';
  readonly detail: string;
  readonly afterMs: number | undefined;
};

const passes = (status: number) =>
  status === 408 || status === 425 || status === 429 || status >= 500;

function decide(body: Body, outcome: PostOutcome, attempts: number): BodyResult | Again {
  if (outcome.kind === 'failed')
    return { kind: 'again', detail: outcome.detail, afterMs: undefined };
  const answer = (outcome.body ?? {}) as Answer;
  const ended = { key: body.key, body: body.bytes, lines: body.lines, attempts };
  if (outcome.status >= 200 && outcome.status < 300) {
    // One stream of many may be refused for the time being: the same body under the same key stores just what is missing.
    const wait = answer.streams?.find(
      (stream) => stream.refused?.retryAfterS !== undefined,
    )?.refused;
    if (wait)
      return { kind: 'again', detail: wait.message, afterMs: (wait.retryAfterS ?? 0) * 1000 };
    return {
      kind: 'taken',
      ...ended,
      accepted: answer.accepted ?? 0,
      unwanted: answer.unwanted ?? 0,
      quarantined: answer.quarantined ?? 0,
      streams: answer.streams ?? [],
    };
  }
  const error = answer.error ?? {
    code: 'internal' as const,
    message: `the server answered ${outcome.status}`,
  };
  if (passes(outcome.status))
    return { kind: 'again', detail: error.message, afterMs: outcome.retryAfterMs };
  return {
    kind: 'refused',
    ...ended,
    accepted: 0,
    unwanted: 0,
    quarantined: 0,
    streams: [],
    error,
  };
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return bytes.at(-1) === NEWLINE ? count : count + 1;
}

/** Pieces of at most `most` bytes, cut behind newlines; a longer line is a piece of its own. */
function* cut(bytes: Buffer, most: number): Generator<Buffer> {
  let from = 0;
  while (bytes.length - from > most) {
    let end = bytes.lastIndexOf(NEWLINE, from + most - 1) + 1;
    if (end <= from) end = bytes.indexOf(NEWLINE, from) + 1 || bytes.length;
    yield bytes.subarray(from, end);
    from = end;
  }
  if (from < bytes.length) yield bytes.subarray(from);
}
