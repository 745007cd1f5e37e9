import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'node:test';

import type { FileSystem } from '../../lib/fs/file-system.ts';
import { nodeFileSystem } from '../../lib/fs/node.ts';
import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { logConformance } from '../conformance.ts';
import type { LogPlace } from '../conformance.ts';
import { openFilesLog } from './open.ts';
import { opened, smallOptions } from './testing.ts';

const MIB = 1024 * 1024;

function place(files: FileSystem, directory: string): LogPlace {
  const options = smallOptions(files, { directory, recordBytes: MIB });
  return { open: async () => opened(await openFilesLog(options)).log };
}

describe('the log over files on the machine', () => {
  logConformance({
    name: 'files on the machine',
    recordBytes: MIB,
    async withPlace(use) {
      const root = await mkdtemp(join(tmpdir(), 'waybill-log-'));
      try {
        await use(place(nodeFileSystem(), join(root, 'shard-0')));
      } finally {
        await rm(root, { recursive: true });
      }
    },
  });
});

describe('the log over files on the simulated disk', () => {
  logConformance({
    name: 'files on the simulated disk',
    recordBytes: MIB,
    async withPlace(use) {
      const disk = new SimDisk({ random: seededRandom(1), handles: 8 });
      await use(place(disk.files(), '/data/log'));
    },
  });
});
