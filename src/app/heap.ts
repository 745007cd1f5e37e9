/**
 * How V8 looks after a shard's heap. It is small (some 15 MiB), and gigabytes of short-lived bodies pass beside it.
 *
 * V8 counts bodies in with the heap and by its own rules marks the whole of it for every 15 MiB of them, on up to four threads
 * at once: a quarter of all CPU under load. It has no option for one thread's heap that would reach this, so the flags are
 * set for the process, before the shard's heap is made.
 */
import { setFlagsFromString } from 'node:v8';

/** What heap and bodies may come to before V8 looks for garbage: a few times the bodies that are under way at once. */
const FIRST_GC_MIB = 48;

export function prepareShardHeaps(): void {
  setFlagsFromString(`--initial-old-space-size=${FIRST_GC_MIB}`);
  // More threads than cores would only wait for each other: marking takes milliseconds.
  setFlagsFromString('--concurrent-marking-max-worker-num=1');
}
