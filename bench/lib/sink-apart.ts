/**
 * The destination of `sink.ts` in a thread of its own: what it takes in is not on the event loop of whoever measures. It stands for
 * another machine, so what it inflates gives way to all other work on this one.
 */
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { openSink } from './sink.ts';
import type { Sink } from './sink.ts';

interface Shared {
  readonly counters: Float64Array<SharedArrayBuffer>;
  readonly inflates: boolean;
}

/** How far what is seen of it may be behind. */
const TOLD_MS = 10;
/** Bytes on the wire, plain bytes, lines, batches; and whether it is to be open. */
const COUNTERS = 5;
const OPEN = 4;
const NICE = 10;

/** @param inflates false: plain bytes are not counted, so that the sink costs little of the two cores */
export async function openSinkApart(inflates = true): Promise<Sink> {
  const counters = new Float64Array(new SharedArrayBuffer(COUNTERS * 8));
  counters[OPEN] = 1;
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { counters, inflates } satisfies Shared,
  });
  const [port] = (await once(worker, 'message')) as [number];
  return {
    port,
    get taken() {
      const [wireBytes = 0, plainBytes = 0, lines = 0, batches = 0] = counters;
      return { wireBytes, plainBytes, lines, batches };
    },
    get open() {
      return counters[OPEN] === 1;
    },
    set open(open) {
      counters[OPEN] = open ? 1 : 0;
    },
    close: () => void worker.terminate(),
  };
}

async function run({ counters, inflates }: Shared): Promise<void> {
  // Of the calling thread alone on Linux; elsewhere it would be all of the process.
  if (process.platform === 'linux') setPriority(0, NICE);
  const sink = await openSink(undefined, inflates);
  setInterval(() => {
    const { wireBytes, plainBytes, lines, batches } = sink.taken;
    counters.set([wireBytes, plainBytes, lines, batches]);
    sink.open = counters[OPEN] === 1;
  }, TOLD_MS);
  parentPort!.postMessage(sink.port);
}

if (!isMainThread) void run(workerData as Shared);
