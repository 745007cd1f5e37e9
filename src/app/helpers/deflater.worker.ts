/** The thread of `deflater.ts`. */
import { parentPort } from 'node:worker_threads';
import { assert } from '../../lib/assert.ts';
import { deflateForOthers } from '../../lib/deflate-many/thread-side.ts';

assert(parentPort, 'small blocks are deflated in a thread of their own');
deflateForOthers(parentPort);
