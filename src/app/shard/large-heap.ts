/**
 * How V8 looks after a heap that has become large because there are many customers.
 *
 * Bodies, blocks and batches lie outside of the heap and live for milliseconds. By its own rules V8 marks the whole heap for every
 * 64 MiB of them, which is nothing for a heap of 15 MiB. With ten thousand jobs at work it is 75 MiB, and marking was a quarter
 * of all CPU. Counted into what the heap as a whole may grow to, the same garbage mostly goes with the young generation.
 *
 * A small heap stays as it was, because the price is memory: heap and bodies may double before they are marked.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** What a heap holds for longer, from which on it counts as large. With a thousand jobs at work it is some 40 MiB. */
const LARGE_BYTES = 64 * 2 ** 20;

/** By how much heap and bodies may grow until they are marked. By its own rule V8 would go up to four times as much. */
const GROWTH_PERCENT = 100;

let isMinded = false;

/** To be called now and then; costs some microseconds. The flags are the process's, and are set once. */
export function mindLargeHeap(): void {
  if (isMinded) return;
  const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
  if ((old?.space_used_size ?? 0) < LARGE_BYTES) return;
  isMinded = true;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
