import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { mkdtemp, readFile, readdir, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { fileSystemConformance } from './conformance.ts';
import { nodeFileSystem } from './node.ts';

async function withFolder(use: (root: string) => Promise<void>): Promise<void> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'waybill-fs-')));
  try {
    await use(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

fileSystemConformance('the machine', (use) =>
  withFolder((root) => use({ files: nodeFileSystem(), root })),
);

test('a folder where none can be made is refused, not tried for ever', async () => {
  await assert.rejects(nodeFileSystem().makeDirectory('/proc/nope/deeper'), {
    name: 'FsError',
    code: 'ENOENT',
    operation: 'makeDirectory',
  });
});

test('a file in the way of a folder is refused', async () => {
  await withFolder(async (root) => {
    await writeFile(join(root, 'file'), '');
    await assert.rejects(nodeFileSystem().makeDirectory(join(root, 'file')), { code: 'EEXIST' });
    await assert.rejects(nodeFileSystem().makeDirectory(join(root, 'file', 'x')), {
      code: 'ENOTDIR',
    });
  });
});

/** Takes the lock that it is given and says so. */
const HOLDER = `
  const { nodeFileSystem } = await import(process.argv[1]);
  const lock = await nodeFileSystem().lock(process.argv[2]);
  console.log(lock === 'held' ? 'held' : 'taken');
  setInterval(() => {}, 1000);
`;

test('a lock keeps other processes out and dies with its own, even by SIGKILL', async () => {
  await withFolder(async (root) => {
    const files = nodeFileSystem();
    const path = join(root, 'lock.db');
    const module = new URL('node.ts', import.meta.url).href;
    const hold = async () => {
      const args = ['--input-type=module', '-e', HOLDER, module, path];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const [said] = await once(child.stdout, 'data');
      return { child, said: String(said).trim() };
    };
    const first = await hold();
    assert.equal(first.said, 'taken');
    assert.equal(await files.lock(path), 'held');
    const second = await hold();
    assert.equal(second.said, 'held');
    for (const { child } of [second, first]) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const lock = await files.lock(path);
    assert.ok(lock !== 'held');
    const third = await hold();
    assert.equal(third.said, 'held');
    third.child.kill('SIGKILL');
    await once(third.child, 'exit');
    await lock.release();
    assert.deepEqual(await files.list(root), ['lock.db']);
  });
});

test(
  'where a write syncs it is the kernel that does it (O_DSYNC), and only there',
  { skip: process.platform !== 'linux' },
  async () => {
    await withFolder(async (root) => {
      for (const mode of ['create', 'create-synced'] as const) {
        const path = join(root, mode);
        const file = await nodeFileSystem().open(path, mode);
        assert.equal(
          (await statusFlags(path)) & constants.O_DSYNC,
          mode === 'create' ? 0 : constants.O_DSYNC,
        );
        await file.close();
      }
    });
  },
);

test('a call that cannot read leaves the others as many reads at once as before', async () => {
  await withFolder(async (root) => {
    const files = nodeFileSystem();
    const place = () => ({ target: Buffer.alloc(3), at: 0 });
    // A folder can be opened, and every read of it fails.
    const broken = await files.open(root, 'read');
    const file = await files.open(join(root, 'a'), 'create');
    await file.write([Buffer.from('abc')], 0);
    const many = Array.from({ length: 100 }, place);
    for (let round = 0; round < 3; round += 1) {
      const [refused, read] = await Promise.allSettled([
        broken.readEach(Array.from({ length: 100 }, place)),
        file.readEach(many),
      ]);
      assert.equal(refused.status, 'rejected');
      await assert.rejects(broken.readEach([place()], true), { name: 'FsError', code: 'EISDIR' });
      assert.deepEqual(read, { status: 'fulfilled', value: many.map(() => 3) });
    }
    await broken.close();
    await file.close();
  });
});

/** With which flags this process has a file open. */
async function statusFlags(path: string): Promise<number> {
  for (const descriptor of await readdir('/proc/self/fd')) {
    const target = await readlink(`/proc/self/fd/${descriptor}`).catch(() => '');
    if (target !== path) continue;
    const info = await readFile(`/proc/self/fdinfo/${descriptor}`, 'latin1');
    return Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)![1]!, 8);
  }
  throw new Error(`${path} is not open`);
}

test('a file system in memory says so', { skip: process.platform !== 'linux' }, async (t) => {
  const files = nodeFileSystem();
  if (!(await files.stat('/dev/shm'))) return t.skip('this machine has no /dev/shm');
  assert.equal((await files.space('/dev/shm')).inMemory, true);
});
