/**
 * app: the composition root. It makes every room, hands each what it needs, and owns the order of start and stop.
 *
 * `run.ts` is a server from start to signal, `serve.ts` its control thread, `shard.worker.ts` a shard's thread, `link.ts`
 * what they say to each other.
 */
import type { CheckDirectory } from '../model/check-report.ts';

export { folderTools } from './folder-tools.ts';
export { forwardParts } from './forward.ts';
export { serveUntilStopped } from './run.ts';
export { rebuildStore } from './rebuild.ts';
export { terminal } from './terminal.ts';
export { VERSION } from '../lib/version.ts';

/** Loaded when it is asked for: a server has no use for the offline checker. */
export const checkDirectory: CheckDirectory = async (directory, what) =>
  (await import('../check/index.ts')).checkDirectory(directory, what);
