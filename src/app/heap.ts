/**
 * How V8 looks after a shard's heap. It is small (some 15 MiB), and gigabytes of short-lived bodies pass beside it.
 *
 * V8 counts bodies in with the heap and by its own rules marks the whole of it for every 15 MiB of them, on up to four threads
 * at once: a quarter of all CPU under load. It has no option for one thread's heap that would reach this, so the flags are
 * set for the process, before the shard's heap is made.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * What the old generation may come to before V8 looks through all of it. It begins to when what is left up to here is less than
 * the young generation could hold: with 25 MiB of live objects and less than this it was marked once a second.
 */
const FIRST_GC_MIB = 64;

/**
 * The young generation: three times what is allocated between two collections of it. Left alone it grows to twice this under
 * requests of one line, and each time that it does a collection takes 4 to 10 ms.
 */
export const YOUNG_MIB = 36;

export function prepareShardHeaps(): void {
  setFlagsFromString(`--initial-old-space-size=${FIRST_GC_MIB}`);
  // More threads than cores would only wait for each other: marking takes milliseconds.
  setFlagsFromString('--concurrent-marking-max-worker-num=1');
}

/** Below it a heap holds little that a start has left. */
const LARGE_HEAP_BYTES = 96 * 2 ** 20;

/**
 * Gives back what a start with a large configuration has left in this thread's heap: twice as much as what stays, and V8 would
 * keep it for as long as the server idles. Stops the thread for as long as marking takes: call it before anybody is served.
 */
export function giveBackAfterStart(): void {
  if (getHeapStatistics().total_heap_size < LARGE_HEAP_BYTES) return;
  // The one way to ask for it; seen by nobody else, since the function stays here.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
