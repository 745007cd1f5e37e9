import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { nodeFileSystem } from '../../lib/fs/node.ts';
import type { AccountRecord } from './records.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Change, Contents, Store } from './store.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'waybill-store-'));
  path = join(directory, 'control.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function open(mustExist = false): Promise<Store> {
  const opened = await tryOpen(mustExist);
  return opened.kind === 'open' ? opened.store : assert.fail(opened.detail);
}

function tryOpen(mustExist = false) {
  return openSqliteStore({ path, files: nodeFileSystem(), mustExist, changesKept: 5 });
}

async function contents(store: Store): Promise<Contents> {
  const loaded = await store.load();
  return loaded.kind === 'loaded' ? loaded.contents : assert.fail(loaded.detail);
}

const account = (id: string, name = id): AccountRecord => ({
  id,
  name,
  ambientCredentials: false,
  createdMs: 1,
  limits: {},
  cmb: null,
});

function change(base: number, ...accounts: readonly AccountRecord[]): Change {
  return {
    base,
    atMs: 1_000 + base,
    who: 'tester',
    address: '192.0.2.1',
    what: 'account.put',
    voice: 'operator',
    reason: null,
    edits: accounts.map((after) => ({ kind: 'account', id: after.id, before: null, after })),
    concerns: accounts.map(({ id }) => [`accounts/${id}`]),
    seal: [],
    dropSecrets: [],
  };
}

async function detailOf(mustExist = false): Promise<string> {
  const opened = await tryOpen(mustExist);
  if (opened.kind === 'unreadable') return opened.detail;
  const loaded = await opened.store.load();
  await opened.store.close();
  return loaded.kind === 'unreadable' ? loaded.detail : assert.fail('it was taken for good');
}

test('what was committed is there after reopening, under its version', async () => {
  const store = await open();
  assert.deepEqual(await store.commit(change(0, account('a'))), { kind: 'committed', version: 1 });
  const sealed = { id: 's1', version: 1, keyId: 'k', sealed: 'AQID' };
  assert.deepEqual(await store.commit({ ...change(1, account('a', 'new')), seal: [sealed] }), {
    kind: 'committed',
    version: 2,
  });
  await store.close();
  const again = await open(true);
  const found = await contents(again);
  assert.equal(found.version, 2);
  assert.deepEqual(found.records.account, [account('a', 'new')]);
  assert.deepEqual(found.secrets, [sealed]);
  assert.deepEqual(await again.commit({ ...change(2), dropSecrets: ['s1'] }), {
    kind: 'committed',
    version: 3,
  });
  assert.deepEqual((await contents(again)).secrets, []);
  await again.close();
});

test('what a store holds is told without loading it, and only when all of it is as it says', async () => {
  const opened = await tryOpen();
  assert.ok(opened.kind === 'open');
  const { store } = opened;
  const sealed = { id: 's1', version: 1, keyId: 'k', sealed: btoa('sealed') };
  await store.commit({ ...change(0, account('a'), account('b')), seal: [sealed] });
  const loaded = await store.load();
  assert.ok(loaded.kind === 'loaded');
  assert.deepEqual(await store.holds(), { version: 1, checksum: loaded.checksum });
  for (const damage of [
    `UPDATE objects SET body = replace(body, '"b"', '"c"') WHERE id = 'b'`,
    `UPDATE secrets SET sealed = x'00'`,
    `DELETE FROM objects WHERE id = 'b'`,
    `UPDATE meta SET checksum = '0000000000000001'`,
    'DELETE FROM meta',
    'DROP TABLE secrets',
  ]) {
    const other = new DatabaseSync(path);
    other.exec(`SAVEPOINT damage; ${damage}; RELEASE damage`);
    other.close();
    assert.equal(await store.holds(), undefined, damage);
    assert.equal((await store.load()).kind, 'unreadable', damage);
  }
  await store.close();
});

test('a change made from an older version is stale and changes nothing', async () => {
  const store = await open();
  await store.commit(change(0, account('a')));
  assert.deepEqual(await store.commit(change(0, account('b'))), { kind: 'stale' });
  const found = await contents(store);
  assert.equal(found.version, 1);
  assert.deepEqual(found.records.account, [account('a')]);
  await store.close();
});

test('the change log tells who changed what, newest first, and the oldest entries make room', async () => {
  const store = await open();
  for (let base = 0; base < 8; base++)
    await store.commit(change(base, account('a', `name ${base}`)));
  const entries = await store.changes({ limit: 3 });
  assert.deepEqual(
    entries.map(({ version }) => version),
    [8, 7, 6],
  );
  assert.equal(entries[0]?.who, 'tester');
  assert.equal(entries[0]?.address, '192.0.2.1');
  assert.deepEqual(entries[0]?.edits[0]?.after, account('a', 'name 7'));
  assert.deepEqual(
    (await store.changes({ limit: 100, before: 6 })).map(({ version }) => version),
    [5, 4],
  );
  await store.close();
});

test('entries that changed or removed something can be asked for alone, whatever the names in the others say', async () => {
  const store = await open();
  await store.commit(change(0, account('a', 'first'), account('b', '"before":{')));
  const renamed = {
    kind: 'account' as const,
    id: 'a',
    before: account('a', 'first'),
    after: account('a', 'second'),
  };
  await store.commit({ ...change(1), edits: [renamed], concerns: [['accounts/a']] });
  await store.commit(change(2, account('c')));
  const versions = (await store.changes({ withBefore: true, limit: 9 })).map(
    ({ version }) => version,
  );
  assert.deepEqual(versions, [2]);
  await store.close();
});

test('entries of the change log are found by the scopes that they concern, and go with them', async () => {
  const store = await open();
  for (let base = 0; base < 8; base++)
    await store.commit(change(base, account(base % 2 === 0 ? 'even' : 'odd', `name ${base}`)));
  const versions = async (scope: string): Promise<number[]> =>
    (await store.changes({ scope, limit: 100 })).map(({ version }) => version);
  assert.deepEqual(await versions('accounts/even'), [7, 5], 'of those that are kept');
  assert.deepEqual(await versions('accounts/odd'), [8, 6, 4]);
  assert.deepEqual(await versions('accounts/none'), []);
  const both = { ...change(8, account('even', 'e'), account('odd', 'o')) };
  await store.commit(both);
  const [entry] = await store.changes({ scope: 'accounts/odd', limit: 1 });
  assert.deepEqual(
    entry?.edits.map(({ id }) => id),
    ['odd'],
  );
  const gone = { kind: 'account' as const, id: 'odd', before: account('odd'), after: null };
  await store.commit({ ...change(9), edits: [gone], concerns: [['accounts/odd']] });
  assert.deepEqual(await versions('accounts/odd'), []);
  assert.deepEqual(await versions('accounts/even'), [9, 7]);
  await store.close();
});

test('a store of the first format is read with defaults for what it lacks, and goes on', async () => {
  const store = await open();
  // As the first format wrote them: without limits, without a table of whom a change concerns.
  const former = { id: 'old', name: 'Old', ambientCredentials: false, createdMs: 1 };
  await store.commit({ ...change(0, former as unknown as AccountRecord), concerns: [] });
  await store.close();
  const database = new DatabaseSync(path);
  database.exec(
    'DROP TABLE change_scopes; ALTER TABLE changes DROP COLUMN voice; ALTER TABLE changes DROP COLUMN reason; PRAGMA user_version = 1',
  );
  const edits = JSON.stringify([{ kind: 'account', id: 'old', before: null, after: former }]);
  database.prepare('UPDATE changes SET edits = ?').run(edits);
  database.close();
  const again = await open(true);
  assert.deepEqual((await contents(again)).records.account, [account('old', 'Old')]);
  const [entry] = await again.changes({ limit: 1 });
  assert.deepEqual(entry?.edits[0]?.concerns, []);
  for (let base = 1; base < 8; base++) {
    const result = await again.commit(change(base, account('old', `name ${base}`)));
    assert.equal(result.kind, 'committed');
  }
  assert.equal((await again.changes({ scope: 'accounts/old', limit: 100 })).length, 5);
  await again.close();
});

test('I4, I10: a damaged store is refused with its path and advice, and left as it is', async () => {
  const store = await open();
  for (let base = 0; base < 50; base++)
    await store.commit(change(base, account(`a${base}`, 'n'.repeat(200))));
  await store.close();
  const whole = readFileSync(path);
  const damaged: Record<string, Buffer> = {
    'an empty file': Buffer.alloc(0),
    'no database': Buffer.from('x'.repeat(whole.length)),
    'cut short': whole.subarray(0, whole.length / 2),
    'a page of zeros': Buffer.concat([
      whole.subarray(0, 4096),
      Buffer.alloc(4096),
      whole.subarray(8192),
    ]),
    // SQLite itself has no checksum over a text: ours has.
    'one flipped bit in a name': flipIn(whole, 'n'.repeat(100)),
  };
  for (const [what, bytes] of Object.entries(damaged)) {
    writeFileSync(path, bytes);
    const detail = await detailOf();
    assert.ok(detail.includes(path) && detail.includes('backup'), `${what}: ${detail}`);
    assert.deepEqual(readFileSync(path), bytes, `${what}: the file is as it was`);
  }
});

function flipIn(whole: Buffer, text: string): Buffer {
  const copy = Buffer.from(whole);
  const at = copy.indexOf(text);
  assert.ok(at > 0);
  copy.writeUInt8(copy.readUInt8(at) ^ 2, at);
  return copy;
}

test('I4: a store that went missing is no first start when there is data of earlier runs', async () => {
  assert.match(await detailOf(true), /missing although there is data/);
  const store = await open(false);
  assert.equal((await contents(store)).version, 0);
  await store.close();
});

test('a store of a newer version is refused clearly', async () => {
  await (await open()).close();
  const database = new DatabaseSync(path);
  database.exec('PRAGMA user_version = 99');
  database.close();
  assert.match(await detailOf(), /format 99.*newer/);
});

test('a first start that was cut short leaves nothing that the next one trips over', async () => {
  writeFileSync(`${path}.new`, 'half a draft');
  const store = await open();
  assert.equal((await contents(store)).version, 0);
  await store.close();
});

test('a change that cannot be written fails as a whole, and the next one passes', async () => {
  const store = await open();
  await store.commit(change(0, account('a')));
  const impossible = { ...change(1, account('b')), who: null as unknown as string };
  assert.equal((await store.commit(impossible)).kind, 'failed');
  assert.deepEqual((await contents(store)).records.account, [account('a')]);
  assert.deepEqual(await store.commit(change(1, account('b'))), { kind: 'committed', version: 2 });
  await store.close();
});

test('ids of deleted jobs never come back', async () => {
  const store = await open();
  const job = {
    id: 7,
    name: '',
    enabled: true,
    scope: { kind: 'zone' as const, id: 'z' },
    dataset: 'd',
    destination: 's3://b',
    secret: { id: 'job-7', version: 1 },
    fingerprint: '',
    filter: '',
    outputOptions: null,
    logpullOptions: '',
    frequency: 'high' as const,
    maxUploadBytes: 0,
    maxUploadRecords: 0,
    maxUploadIntervalSeconds: 0,
    contentVersion: 1,
    olderContents: [],
    version: 1,
    created: { atMs: 1, mark: '' },
  };
  await store.commit({ ...change(0), edits: [{ kind: 'job', id: '7', before: null, after: job }] });
  await store.commit({ ...change(1), edits: [{ kind: 'job', id: '7', before: job, after: null }] });
  assert.equal((await contents(store)).nextJob, 8);
  await store.close();
});

test('a byte that decays while nobody is at work never brings back an older configuration (I4, I10)', async () => {
  const store = await open();
  for (let base = 0; base < 6; base++) await store.commit(change(base, account('a1', `n${base}`)));
  const before = await contents(store);
  // As a kill leaves them: the store is still open.
  const files = readdirSync(directory).map(
    (name) => [name, readFileSync(join(directory, name))] as const,
  );
  await store.close();
  for (const [name, bytes] of files) {
    for (let at = 0; at < bytes.length; at += 97) {
      for (const each of readdirSync(directory)) rmSync(join(directory, each));
      for (const [each, content] of files) writeFileSync(join(directory, each), content);
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0x08;
      writeFileSync(join(directory, name), changed);
      const opened = await tryOpen(true);
      if (opened.kind === 'unreadable') continue;
      const loaded = await opened.store.load();
      if (loaded.kind === 'loaded') assert.deepEqual(loaded.contents, before, `${name} byte ${at}`);
      await opened.store.close();
    }
  }
});
