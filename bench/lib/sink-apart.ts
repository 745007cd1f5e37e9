/**
 * The destination of `sink.ts` in a process of its own: what it takes in shares neither an event loop nor memory with whoever
 * measures. It stands for another machine, so what it inflates gives way to all other work on this one.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { openSink } from './sink.ts';
import type { Sink } from './sink.ts';

/** How far what is seen of it may be behind. */
const TOLD_MS = 10;
const NICE = 10;
const OWN = fileURLToPath(import.meta.url);

/** @param inflates false: plain bytes are not counted, so that the sink costs little of the two cores */
export async function openSinkApart(inflates = true): Promise<Sink> {
  const child = fork(OWN, [String(inflates)]);
  process.on('exit', () => child.kill());
  const [port] = (await once(child, 'message')) as [number];
  let taken = { wireBytes: 0, plainBytes: 0, lines: 0, batches: 0 };
  let isOpen = true;
  child.on('message', (told: Sink['taken']) => (taken = told));
  return {
    port,
    get taken() {
      return taken;
    },
    get open() {
      return isOpen;
    },
    set open(open) {
      isOpen = open;
      child.send(open);
    },
    close: () => void child.kill(),
  };
}

async function run(): Promise<void> {
  setPriority(NICE);
  const sink = await openSink(undefined, process.argv[2] === 'true');
  process.on('message', (open: boolean) => (sink.open = open));
  process.send!(sink.port);
  let told = -1;
  setInterval(() => {
    if (sink.taken.batches === told) return;
    told = sink.taken.batches;
    process.send!(sink.taken);
  }, TOLD_MS);
}

if (process.argv[1] === OWN) void run();
