/** A producer of large requests: bodies made beforehand, one under way on each connection, in a thread of its own. */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { RawConnection } from './raw-connection.ts';

export interface BodiesOptions {
  readonly port: number;
  /** Taken in turn, one for each request. */
  readonly paths: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: readonly Uint8Array[];
  readonly connections: number;
  readonly seconds: number;
  /** Requests in a second over all connections; absent: as many as are answered. */
  readonly perSecond?: number;
  /** Seconds at the beginning of which no answer times are told: the producer's own code is not compiled yet. Absent: none. */
  readonly warmSeconds?: number;
}

export interface BodiesResult {
  readonly answered: number;
  /** Lines that the answers say are stored: a `?by=` answer with 200 may refuse some of its streams. */
  readonly acceptedLines: number;
  /** Codes of those refusals, with the streams that met them. */
  readonly refusedStreams: Readonly<Record<string, number>>;
  /** How often each body was taken. */
  readonly taken: readonly number[];
  /** Answers other than 200; they are tried again after a short wait. */
  readonly failed: number;
  readonly seconds: number;
  /** Answer times of those that were taken, in milliseconds. */
  readonly tookMs: Float64Array;
}

/** Sends for as long as asked. */
export function sendBodies(options: BodiesOptions): Promise<BodiesResult> {
  const worker = new Worker(new URL(import.meta.url), { workerData: options });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const RETRY_MS = 20;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function run(options: BodiesOptions): Promise<BodiesResult> {
  const { port, paths, headers, bodies, connections, seconds, perSecond } = options;
  const warmMs = (options.warmSeconds ?? 0) * 1_000;
  const fields = Object.entries({ host: 'bench', ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const began = performance.now();
  const untilMs = began + seconds * 1_000;
  const tookMs: number[] = [];
  const taken = bodies.map(() => 0);
  let answered = 0;
  let failed = 0;
  let acceptedLines = 0;
  const refusedStreams: Record<string, number> = {};
  const read = (answer: string): void => {
    acceptedLines += Number(/"accepted":(\d+)/.exec(answer)?.[1] ?? 0);
    for (const [, code = ''] of answer.matchAll(/"refused":\{"code":"(\w+)"/g))
      refusedStreams[code] = (refusedStreams[code] ?? 0) + 1;
  };
  let next = 0;
  const post = async (over: RawConnection, path: string, body: Uint8Array): Promise<number> => {
    const head = `POST ${path} HTTP/1.1\r\n${fields}content-length: ${body.length}\r\n\r\n`;
    const answer = await over.post(head, body);
    if (answer.status === 200) read(answer.body);
    return answer.status;
  };
  const connection = async (): Promise<void> => {
    const over = new RawConnection(port);
    await sendOver(over);
    over.close();
  };
  const sendOver = async (over: RawConnection): Promise<void> => {
    while (performance.now() < untilMs) {
      const mine = next++;
      if (perSecond !== undefined) {
        await sleep(Math.max(0, began + (mine / perSecond) * 1_000 - performance.now()));
      }
      const from = performance.now();
      const which = mine % bodies.length;
      while ((await post(over, paths[mine % paths.length]!, bodies[which]!)) !== 200) {
        failed++;
        if (performance.now() > untilMs) return;
        await sleep(RETRY_MS);
      }
      answered++;
      if (from - began >= warmMs) tookMs.push(performance.now() - from);
      taken[which]!++;
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return {
    answered,
    acceptedLines,
    refusedStreams,
    taken,
    failed,
    seconds: (performance.now() - began) / 1_000,
    tookMs: Float64Array.from(tookMs),
  };
}

if (parentPort && workerData !== null) {
  const port = parentPort;
  void run(workerData as BodiesOptions).then((result) => port.postMessage(result));
}
