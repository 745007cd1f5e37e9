/**
 * app: the composition root. It makes every room, hands each what it needs, and owns the order of start and stop.
 *
 * `run.ts` is a server from start to signal, `serve.ts` its control thread with what it knows of its shards in `shards/`. `shard/`
 * is a shard's own thread (`shard.worker.ts` puts the way of a line together), `helpers/` the threads that help it, `link/` what
 * threads say to each other. `forward.ts` puts a forwarder together.
 *
 * What the command line is handed is loaded when it is asked for: `waybill status` has no use for a server.
 */
import type { CheckDirectory } from '../model/check-report.ts';
import type { Config } from '../model/settings.ts';
import type { ForwardInput } from './forward.ts';

export { folderTools } from './folder-tools.ts';
export { terminal } from './terminal.ts';
export { VERSION } from '../lib/version.ts';

export const serveUntilStopped = async (config: Config): Promise<number> =>
  (await import('./run.ts')).serveUntilStopped(config);

export const forwardParts = async () => {
  const { FORWARD_SETTINGS } = await import('../model/forward-settings.ts');
  const run = async (input: ForwardInput): Promise<number> =>
    (await import('./forward.ts')).forwardUntilStopped(input);
  return { settings: FORWARD_SETTINGS, run };
};

export const rebuildStore = async (directory: string) =>
  (await import('./rebuild.ts')).rebuildStore(directory);

export const checkDirectory: CheckDirectory = async (directory, what) =>
  (await import('../check/index.ts')).checkDirectory(directory, what);
