/** The thread of `preparer.ts`. */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { assert } from '../../lib/assert.ts';
import { systemClock as clock } from '../../lib/clock.ts';
import { limits } from '../../model/limits.ts';

/** The kernel weighs such a thread as a tenth of any other that wants the same core. */
const NICE = 10;

// On Linux this is the calling thread alone; elsewhere it would be all of the process.
if (process.platform === 'linux') setPriority(0, NICE);
assert(parentPort, 'batches are prepared in a thread of their own');
// Only now: loading code is work too.
const [{ prepareForShard }, { inflateBlockHere }] = await Promise.all([
  import('../../deliver/index.ts'),
  import('../../buffer/index.ts'),
]);
prepareForShard(parentPort, { clock, inflate: inflateBlockHere, limits: limits.deliver });
