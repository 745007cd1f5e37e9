import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { silent } from '../lib/diagnostics.ts';
import { openDatabase } from '../lib/sqlite/open.ts';
import { openOrSetAside } from './set-aside.ts';

const open = (path: string) => openDatabase(path, 'CREATE TABLE IF NOT EXISTS t (a INTEGER)');

test('I10: a file that SQLite cannot use is kept under another name, told, and begun anew', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-aside-'));
  const path = join(folder, 'x.db');
  const alarms: unknown[] = [];
  const diagnostics = {
    ...silent,
    alarm: (_event: string, details: unknown) => void alarms.push(details),
  };
  for (const round of [1, 2]) {
    await writeFile(
      path,
      `no database ${round}, but long enough to be looked at as one`.repeat(100),
    );
    openOrSetAside(path, open, diagnostics).close();
  }
  assert.equal(alarms.length, 2);
  assert.deepEqual(await readdir(folder), ['x.db', 'x.db.damaged-1', 'x.db.damaged-2']);
  assert.match(await readFile(`${path}.damaged-2`, 'utf8'), /^no database 2/);
  await rm(folder, { recursive: true });
});

test('a disk that does not let it be opened is no damage', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-aside-'));
  assert.throws(() => openOrSetAside(join(folder, 'missing', 'x.db'), open, silent));
  await rm(folder, { recursive: true });
});
