/**
 * A light producer for many connections: raw sockets, requests made beforehand, one under way on each connection. Runs as a
 * thread of its own: what it costs is not on the event loop of whoever measures. It reads into one buffer, so that it leaves little
 * garbage: its own pauses would be told as the server's.
 */
import { connect } from 'node:net';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { httpBlocks } from './http-lines.ts';

export interface PostsOptions {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  /** Requests in a second, spread evenly; 0: as many as are answered. */
  readonly perSecond: number;
  readonly linesPerPost: number;
}

export interface PostsResult {
  readonly answered: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly plainBytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How much later than asked its own timers came: what of the answers' delay may be the producer's. */
  readonly ownLateP99Ms: number;
}

/** An answer's head is all that is looked at. */
const READ_BYTES = 16 * 1024;
/** So that hardly a collection falls into the seconds that are measured. */
const YOUNG_MIB = 64;

/** Sends for as long as asked, in a thread of its own. */
export function post(options: PostsOptions): Promise<PostsResult> {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: options,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

function requests({ path, headers, linesPerPost }: PostsOptions): Buffer[] {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const made: Buffer[] = [];
  for (const { bytes } of httpBlocks(11, 8 * 2 ** 20)) {
    for (let at = 0; at < bytes.length;) {
      let end = at;
      for (let n = 0; n < linesPerPost && end < bytes.length; n++) end = bytes.indexOf(10, end) + 1;
      const head = `POST ${path} HTTP/1.1\r\nhost: bench\r\n${fields.join('')}content-length: ${end - at}\r\n\r\n`;
      made.push(Buffer.concat([Buffer.from(head), bytes.subarray(at, end)]));
      at = end;
    }
  }
  return made;
}

export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function run(options: PostsOptions): Promise<PostsResult> {
  const made = requests(options);
  const tookMs: number[] = [];
  const lateMs: number[] = [];
  const read = Buffer.alloc(READ_BYTES);
  const idle: (() => void)[] = [];
  let next = 0;
  let failed = 0;
  let plainBytes = 0;
  let over = false;
  const paced = options.perSecond > 0;
  for (let n = 0; n < options.connections; n++) {
    let sentAt = 0;
    // Answers are short: each comes in one piece.
    const answered = (bytes: number): boolean => {
      if (bytes === 0) return true;
      tookMs.push(performance.now() - sentAt);
      if (read.toString('latin1', 9, 12) !== '200') failed++;
      if (over) return true;
      if (paced) idle.push(send);
      else send();
      return true;
    };
    const socket = connect({
      port: options.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: read, callback: answered },
    });
    const send = (): void => {
      const request = made[next++ % made.length]!;
      plainBytes += request.length - request.indexOf('\r\n\r\n') - 4;
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', () => (paced ? idle.push(send) : send()));
    socket.on('error', () => failed++);
  }
  const began = performance.now();
  let due = 0;
  while (performance.now() - began < options.seconds * 1_000) {
    const asleepMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1));
    lateMs.push(performance.now() - asleepMs - 1);
    if (!paced) continue;
    const target = ((performance.now() - began) / 1_000) * options.perSecond;
    for (; due < target && idle.length > 0; due++) idle.shift()!();
  }
  over = true;
  const seconds = (performance.now() - began) / 1_000;
  await new Promise((resolve) => setTimeout(resolve, 300));
  const sorted = Float64Array.from(tookMs).sort();
  return {
    answered: tookMs.length,
    failed,
    perSecond: Math.round(tookMs.length / seconds),
    plainBytes,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    ownLateP99Ms: quantile(Float64Array.from(lateMs).sort(), 0.99),
  };
}

if (parentPort && workerData !== null) {
  const port = parentPort;
  void run(workerData as PostsOptions).then((result) => {
    port.postMessage(result);
    process.exit();
  });
}
