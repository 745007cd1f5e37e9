import { join, resolve } from 'node:path';
import { rebuildOffline } from '../control/index.ts';
import { systemClock as clock } from '../lib/clock.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import { processDiagnostics } from './report.ts';

/** Restores the control store of a data folder that no server uses, for the command line. */
export async function rebuildStore(directory: string) {
  const files = nodeFileSystem();
  const folder = resolve(directory);
  if (!(await files.stat(join(folder, 'shards'))))
    return { kind: 'failed', detail: `${folder} is no data folder of Waybill` } as const;
  const lock = await files.lock(join(folder, 'lock'));
  if (lock === 'held')
    return {
      kind: 'failed',
      detail: `a server uses the data folder ${folder}: ask it, without --data-dir`,
    } as const;
  try {
    const diagnostics = processDiagnostics('error');
    return await rebuildOffline({ files, directory: folder, clock, diagnostics });
  } finally {
    await lock.release();
  }
}
