import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { FsError } from '../lib/fs/file-system.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import { prepareDataFolder } from './data-folder.ts';

interface Prepared {
  readonly directory: string;
  readonly files: FileSystem;
  /** Folders whose names were synced. */
  readonly synced: Set<string>;
  /** All that must be. */
  readonly wanted: Set<string>;
}

async function prepared(t: TestContext): Promise<Prepared> {
  const root = await mkdtemp(join(tmpdir(), 'waybill-folder-'));
  t.after(() => rm(root, { recursive: true }));
  const directory = join(root, 'data');
  const real = nodeFileSystem();
  const synced = new Set<string>();
  const files: FileSystem = {
    ...real,
    async syncDirectory(path) {
      await real.syncDirectory(path);
      synced.add(path);
    },
  };
  const shard = join(directory, 'shards', '0');
  return { directory, files, synced, wanted: new Set([shard, dirname(shard), directory, root]) };
}

test('every folder that the log lies in has its name synced (I1)', async (t) => {
  const { directory, files, synced, wanted } = await prepared(t);
  assert.equal(await prepareDataFolder(files, directory, 1), undefined);
  assert.deepEqual(await files.list(join(directory, 'shards', '0')), ['archive', 'buffer', 'log']);
  assert.deepEqual(synced, wanted);
});

test('folders that a killed start left are synced by the next one (I1)', async (t) => {
  const { directory, files, synced, wanted } = await prepared(t);
  await files.makeDirectory(join(directory, 'shards', '0', 'log'));
  synced.clear();
  assert.equal(await prepareDataFolder(files, directory, 1), undefined);
  assert.deepEqual(synced, wanted);
});

test('a folder that cannot be made is told and not thrown', async (t) => {
  const { directory, files } = await prepared(t);
  const makeDirectory = () => Promise.reject(new FsError('EACCES', 'makeDirectory', directory));
  const detail = await prepareDataFolder({ ...files, makeDirectory }, directory, 1);
  assert.ok(detail?.includes(`${directory} cannot be used`) && detail.includes('EACCES'), detail);
});

test('a folder is taken by as many shards as it has, or more, and by no fewer: their lines would be left behind (I3)', async (t) => {
  const { directory, files } = await prepared(t);
  const prepare = (shards: number) => prepareDataFolder(files, directory, shards);
  assert.equal(await prepare(3), undefined);
  // Nothing lies in them yet: a start that was ended at once decides nothing.
  assert.equal(await prepare(1), undefined);
  for (const shard of ['0', '1']) {
    const log = join(directory, 'shards', shard, 'log', 'a.seg');
    await (await files.open(log, 'create')).close();
  }
  assert.match((await prepare(1)) ?? '', /has 2 shards, and process\.shards is 1.*with 2 shards/);
  assert.equal(await prepare(2), undefined);
  assert.equal(await prepare(4), undefined);
});
