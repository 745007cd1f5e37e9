/**
 * A light producer for many connections: raw sockets, requests made beforehand, one under way on each connection. Runs as a
 * thread of its own: what it costs is not on the event loop of whoever measures.
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
}

/** Sends for as long as asked, in a thread of its own. */
export function post(options: PostsOptions): Promise<PostsResult> {
  const worker = new Worker(new URL(import.meta.url), { workerData: options });
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
  const idle: (() => void)[] = [];
  let next = 0;
  let failed = 0;
  let plainBytes = 0;
  let over = false;
  const paced = options.perSecond > 0;
  for (let n = 0; n < options.connections; n++) {
    const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true });
    let sentAt = 0;
    const send = (): void => {
      const request = made[next++ % made.length]!;
      plainBytes += request.length - request.indexOf('\r\n\r\n') - 4;
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', () => (paced ? idle.push(send) : send()));
    // Answers are short: each comes in one piece.
    socket.on('data', (answer) => {
      tookMs.push(performance.now() - sentAt);
      if (answer.toString('latin1', 9, 12) !== '200') failed++;
      if (over) return;
      if (paced) idle.push(send);
      else send();
    });
    socket.on('error', () => failed++);
  }
  const began = performance.now();
  let due = 0;
  while (performance.now() - began < options.seconds * 1_000) {
    await new Promise((resolve) => setTimeout(resolve, 1));
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
  };
}

if (parentPort && workerData !== null) {
  const port = parentPort;
  void run(workerData as PostsOptions).then((result) => {
    port.postMessage(result);
    process.exit();
  });
}
