/** A thread that floods ingest over many connections, each with the next body as soon as the last was answered. */
import { Agent, request } from 'node:http';
import { workerData } from 'node:worker_threads';

/** What a flood is made of. */
export interface Flood {
  readonly url: string;
  readonly token: string;
  readonly line: string;
  /** Connections, with the lines of each body that they send. */
  readonly connections: readonly { readonly count: number; readonly lines: number }[];
  /** Shared counters: see {@link COUNTERS}. */
  readonly counters: SharedArrayBuffer;
}

/** Where each counter stands. `stop` is set by whoever started the flood. */
export const COUNTERS = { stop: 0, underWay: 1, taken: 2, refused: 3, odd: 4 } as const;

if (workerData) flood(workerData as Flood);

function flood({ url, token, line, connections, counters }: Flood): void {
  const count = new Int32Array(counters);
  const isOver = () => Atomics.load(count, COUNTERS.stop) === 1;
  const agent = new Agent({ keepAlive: true });
  const send = (body: Buffer): void => {
    if (isOver()) return;
    Atomics.add(count, COUNTERS.underWay, 1);
    const again = (counter: number) => {
      Atomics.add(count, COUNTERS.underWay, -1);
      Atomics.add(count, counter, 1);
      setTimeout(() => send(body), counter === COUNTERS.taken ? 0 : 5);
    };
    const headers = { authorization: `Bearer ${token}`, 'content-length': body.length };
    let answered = false;
    const asking = request(url, { method: 'POST', agent, headers }, (answer) => {
      answered = true;
      const { statusCode = 0 } = answer;
      const refused = [429, 503].includes(statusCode) ? COUNTERS.refused : COUNTERS.odd;
      answer.resume().on('close', () => again(statusCode === 200 ? COUNTERS.taken : refused));
    });
    // A refusal may close the connection while the body is still on its way.
    asking.on('error', () => (answered ? undefined : again(COUNTERS.refused)));
    asking.end(body);
  };
  for (const { count: most, lines } of connections) {
    const body = Buffer.from(line.repeat(lines));
    for (let n = 0; n < most; n += 1) send(body);
  }
}
