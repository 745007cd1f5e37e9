/**
 * app: the composition root. It makes every room, hands each what it needs, and owns the order of start and stop.
 *
 * `serve.ts` is the control thread, `shard.worker.ts` a shard's thread, `link.ts` what they say to each other.
 */
export { serve } from './serve.ts';
export type { Served } from './serve.ts';
