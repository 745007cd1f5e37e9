/**
 * How V8 looks after a shard's heap. It is small (some 15 MiB), and gigabytes of short-lived bodies pass beside it.
 *
 * V8 counts bodies in with the heap and by its own rules marks the whole of it for every 15 MiB of them, on up to four threads
 * at once: a quarter of all CPU under load. It has no option for one thread's heap that would reach this, so the flags are
 * set for the process, before the shard's heap is made.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What heap and bodies may come to before V8 looks for garbage: a few times the bodies that are under way at once. */
const FIRST_GC_MIB = 48;

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
