/** What every file system behind the seam must do; run by the tests of each implementation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FsError, readFully, writeAll } from './file-system.ts';
import type { FileHandle, FileSystem } from './file-system.ts';

/** A file system and an empty folder on it. */
export interface Place {
  readonly files: FileSystem;
  readonly root: string;
}

/** @param withPlace calls with a fresh place and cleans up behind */
export function fileSystemConformance(
  name: string,
  withPlace: (use: (place: Place) => Promise<void>) => Promise<void>,
): void {
  const claim = (text: string, use: (place: Place) => Promise<void>): void => {
    test(`${name}: ${text}`, () => withPlace(use));
  };

  claim('what is written in parts is read back as one', async ({ files, root }) => {
    await withFile(files, `${root}/a`, async (file) => {
      await writeAll(file, [Buffer.from('one'), Buffer.from(''), Buffer.from('two')], 0);
      await file.sync();
      assert.equal(await file.sizeBytes(), 6);
      assert.equal(await text(file, 6), 'onetwo');
    });
  });

  claim('more buffers than one system call takes are all written', async ({ files, root }) => {
    const parts = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index},`));
    await withFile(files, `${root}/a`, async (file) => {
      await writeAll(file, parts, 0);
      const all = Buffer.concat(parts).toString();
      assert.equal(await text(file, all.length), all);
    });
  });

  claim('a write may leave a hole, which reads as zeros', async ({ files, root }) => {
    await withFile(files, `${root}/a`, async (file) => {
      await writeAll(file, [Buffer.from('x')], 3);
      assert.equal(await text(file, 10), '\0\0\0x');
    });
  });

  claim('reading past the end gives nothing', async ({ files, root }) => {
    await withFile(files, `${root}/a`, async (file) => {
      await writeAll(file, [Buffer.from('abc')], 0);
      assert.equal(await file.read(Buffer.alloc(4), 3), 0);
      assert.equal(await readFully(file, Buffer.alloc(4), 1), 2);
    });
  });

  claim(
    'many places are read with one call, each as far as the file goes',
    async ({ files, root }) => {
      await withFile(files, `${root}/a`, async (file) => {
        const all = Buffer.from(Array.from({ length: 2_000 }, (_, index) => index % 251));
        await writeAll(file, [all], 0);
        const places = Array.from({ length: 100 }, (_, index) => ({
          target: Buffer.alloc(30),
          at: (index * 37) % 1_990,
        }));
        for (const lately of [false, true]) {
          for (const { target } of places) target.fill(0);
          const counts = await file.readEach(places, lately);
          for (const [index, { target, at }] of places.entries()) {
            assert.equal(counts[index], Math.min(30, 2_000 - at));
            assert.deepEqual(
              target.subarray(0, counts[index]),
              all.subarray(at, at + counts[index]!),
            );
          }
          assert.deepEqual(await file.readEach([], lately), []);
        }
      });
    },
  );

  claim('a cut file ends there, and grows again with zeros', async ({ files, root }) => {
    await withFile(files, `${root}/a`, async (file) => {
      await writeAll(file, [Buffer.from('abcdef')], 0);
      await file.truncate(2);
      assert.equal(await file.sizeBytes(), 2);
      await writeAll(file, [Buffer.from('x')], 4);
      assert.equal(await text(file, 8), 'ab\0\0x');
    });
  });

  claim('a name is made once', async ({ files, root }) => {
    await withFile(files, `${root}/a`, async () => {});
    await rejects(files.open(`${root}/a`, 'create'), 'EEXIST');
  });

  claim(
    'a file whose writes sync is made once, and read back as written',
    async ({ files, root }) => {
      const file = await files.open(`${root}/a`, 'create-synced');
      await writeAll(file, [Buffer.from('one'), Buffer.from('two')], 0);
      await writeAll(file, [Buffer.from('x')], 1);
      assert.equal(await text(file, 9), 'oxetwo');
      await rejects(files.open(`${root}/a`, 'create-synced'), 'EEXIST');
      await rejects(files.open(`${root}/no/a`, 'create-synced'), 'ENOENT');
      await file.close();
    },
  );

  claim('what is not there is ENOENT, and undefined to stat', async ({ files, root }) => {
    await rejects(files.open(`${root}/a`, 'read'), 'ENOENT');
    await rejects(files.open(`${root}/a`, 'write'), 'ENOENT');
    await rejects(files.open(`${root}/no/a`, 'create'), 'ENOENT');
    await rejects(files.unlink(`${root}/a`), 'ENOENT');
    await rejects(files.rename(`${root}/a`, `${root}/b`), 'ENOENT');
    await rejects(files.list(`${root}/no`), 'ENOENT');
    await rejects(files.syncDirectory(`${root}/no`), 'ENOENT');
    assert.equal(await files.stat(`${root}/a`), undefined);
    assert.equal(await files.realPath(`${root}/a`), undefined);
  });

  claim('a file opened to read takes no write', async ({ files, root }) => {
    await withFile(files, `${root}/a`, async () => {});
    const file = await files.open(`${root}/a`, 'read');
    await rejects(file.write([Buffer.from('x')], 0), 'EBADF');
    await file.close();
  });

  claim('a rename takes the place of what was there', async ({ files, root }) => {
    for (const name of ['a', 'b']) {
      await withFile(files, `${root}/${name}`, (file) => writeAll(file, [Buffer.from(name)], 0));
    }
    await files.rename(`${root}/a`, `${root}/b`);
    await files.syncDirectory(root);
    assert.deepEqual(await files.list(root), ['b']);
    const file = await files.open(`${root}/b`, 'read');
    assert.equal(await text(file, 9), 'a');
    await file.close();
  });

  claim('an unlinked file lives on for who has it open', async ({ files, root }) => {
    await withFile(files, `${root}/a`, async (file) => {
      await writeAll(file, [Buffer.from('abc')], 0);
      await files.unlink(`${root}/a`);
      assert.equal(await text(file, 3), 'abc');
    });
    assert.deepEqual(await files.list(root), []);
  });

  claim('folders are made with their parents, and listed in order', async ({ files, root }) => {
    await files.makeDirectory(`${root}/x/y`);
    await files.makeDirectory(`${root}/x/y`);
    for (const name of ['2', '10', '1']) {
      await withFile(files, `${root}/x/y/${name}`, async () => {});
    }
    assert.deepEqual(await files.list(`${root}/x/y`), ['1', '10', '2']);
    assert.deepEqual(await files.list(`${root}/x`), ['y']);
    assert.deepEqual(await files.stat(`${root}/x/y/1`), { bytes: 0 });
  });

  claim('the free space is a part of the whole', async ({ files, root }) => {
    const { freeBytes, totalBytes } = await files.space(root);
    assert.ok(freeBytes > 0 && freeBytes <= totalBytes);
  });

  claim('a lock is held once, and can be had again when it is let go', async ({ files, root }) => {
    const lock = await files.lock(`${root}/lock`);
    assert.ok(lock !== 'held');
    assert.equal(await files.lock(`${root}/lock`), 'held');
    await lock.release();
    const again = await files.lock(`${root}/lock`);
    assert.ok(again !== 'held');
    await again.release();
  });

  claim('a lock where there is no folder is an FsError', async ({ files, root }) => {
    await assert.rejects(files.lock(`${root}/no/lock`), FsError);
  });
}

async function withFile(
  files: FileSystem,
  path: string,
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await files.open(path, 'create');
  await use(file);
  await file.close();
}

async function text(file: FileHandle, bytes: number): Promise<string> {
  const target = Buffer.alloc(bytes);
  return target.subarray(0, await readFully(file, target, 0)).toString();
}

async function rejects(work: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(work, (error) => error instanceof FsError && error.code === code);
}
