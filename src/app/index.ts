/**
 * app: the composition root. It makes every room, hands each what it needs, and owns the order of start and stop.
 *
 * `serve.ts` is the control thread, `shard.worker.ts` a shard's thread, `link.ts` what they say to each other.
 */
export { checkDirectory } from '../check/index.ts';
export { serveUntilStopped } from './run.ts';
export { terminal } from './terminal.ts';
export { VERSION } from './version.ts';
