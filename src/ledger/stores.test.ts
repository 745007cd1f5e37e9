import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Attempt } from '../model/delivery.ts';
import { openAttemptStore } from './attempt-store.ts';
import { openKeptLines } from './kept-lines.ts';
import { exposition } from './metrics.ts';

const attempt = (job: number, number: number): Attempt => ({
  job,
  plan: 'p',
  range: { from: 0, to: 1 },
  number,
  atMs: 0,
  durationMs: 1,
  stage: 'destination',
  outcome: 'retry',
  status: 503,
  error: 'the receiver answered 503',
  lines: 1,
  plainBytes: 1,
  sentBytes: 1,
});
const line = (account: string, offset: number, bytes = 10) => ({
  account,
  stream: `zones/${account}/d`,
  reason: 'malformed' as const,
  job: 1,
  offset,
  detail: 'no closing brace',
  atMs: 1,
  bytes: Buffer.alloc(bytes, 65),
});

test('the newest attempts of each job are kept, and no more than allowed', () => {
  const store = openAttemptStore(':memory:', 3);
  store.add([1, 2, 3, 4, 5].map((number) => attempt(1, number)));
  store.add([attempt(2, 1)]);
  assert.deepEqual(
    store.list(1, 10).map((each) => each.number),
    [5, 4, 3],
  );
  assert.deepEqual(
    store.list(2, 10).map((each) => each.number),
    [1],
  );
  store.close();
});

test('attempts that the disk does not take are refused whole, and the next ones are taken', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'waybill-attempts-')), 'attempts.db');
  const store = openAttemptStore(path, 10);
  const other = new DatabaseSync(path, { timeout: 0 });
  // A writer that is in the way stands for a disk that is full: SQLite throws in the midst of the transaction.
  other.exec('BEGIN IMMEDIATE');
  assert.throws(() => store.add([attempt(1, 1)]));
  other.exec('ROLLBACK');
  other.close();
  store.add([attempt(1, 2)]);
  assert.deepEqual(
    store.list(1, 10).map((each) => each.number),
    [2],
  );
  store.close();
  await rm(dirname(path), { recursive: true });
});

test("kept lines are bounded per account: one account's flood takes nothing from another (I5, I6)", () => {
  const store = openKeptLines(':memory:', { lines: 2, bytes: 1_000 });
  assert.equal(store.keep([line('a', 0), line('a', 1)]), 'kept');
  assert.equal(store.keep([line('a', 2)]), 'full');
  assert.equal(store.keep([line('b', 100)]), 'kept');
  assert.equal(store.list([{ kind: 'zone', id: 'a' }], 10, 0).length, 2);
  store.close();
});

test('lines that do not all fit are all refused', () => {
  const store = openKeptLines(':memory:', { lines: 10, bytes: 25 });
  assert.equal(store.keep([line('a', 0), line('a', 1), line('a', 2)]), 'full');
  assert.equal(store.list([{ kind: 'zone', id: 'a' }], 10, 0).length, 0);
  store.close();
});

test('keepNewest gives up the oldest and says how many', () => {
  const store = openKeptLines(':memory:', { lines: 2, bytes: 1_000 });
  assert.equal(store.keepNewest([line('a', 0), line('a', 1), line('a', 2)]), 1);
  assert.deepEqual(
    store.list([{ kind: 'zone', id: 'a' }], 10, 0).map((each) => each.offset),
    [1, 2],
  );
  store.close();
});

test('lines of many sizes kept at once stay within the account’s bytes, the newest of them', () => {
  const store = openKeptLines(':memory:', { lines: 100, bytes: 100 });
  store.keepNewest([line('a', 0, 60), line('a', 1, 30)]);
  assert.equal(store.keepNewest([line('a', 2, 50), line('b', 90, 90), line('a', 3, 20)]), 1);
  const held = store.list([{ kind: 'zone', id: 'a' }], 10, 0).map((each) => each.offset);
  assert.deepEqual(held, [1, 2, 3]);
  assert.equal(store.list([{ kind: 'zone', id: 'b' }], 10, 0).length, 1);
  store.close();
});

test('a line kept again after a crash stands once', () => {
  const store = openKeptLines(':memory:', { lines: 10, bytes: 1_000 });
  store.keepNewest([line('a', 7)]);
  store.keepNewest([line('a', 7)]);
  assert.equal(store.list([{ kind: 'zone', id: 'a' }], 10, 0).length, 1);
  store.close();
});

test("a label's quotes and newlines are escaped as Prometheus wants", () => {
  const text = exposition([
    {
      name: 'x_total',
      help: 'h',
      type: 'counter',
      series: [{ labels: { job: 'a"b\n' }, value: 3 }],
    },
  ]);
  assert.equal(text, '# HELP x_total h\n# TYPE x_total counter\nx_total{job="a\\"b\\n"} 3\n');
});

test('I10: a kept line that decayed is left out and told once, and its neighbours are there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-kept-'));
  const path = join(folder, 'kept-lines.db');
  const told: string[] = [];
  const open = () => openKeptLines(path, { lines: 10, bytes: 1_000 }, (what) => told.push(what));
  const first = open();
  first.keepNewest([line('a', 0), line('a', 1), line('a', 2)]);
  first.close();
  const database = new DatabaseSync(path);
  database.exec("UPDATE lines SET bytes = x'7b7d' WHERE offset = 1");
  // As a version before the checksums left it.
  database.exec('UPDATE lines SET crc = NULL WHERE offset = 2');
  database.close();
  const store = open();
  for (let round = 0; round < 2; round += 1)
    assert.deepEqual(
      store.list([{ kind: 'zone', id: 'a' }], 10, 0).map(({ offset }) => offset),
      [0, 2],
    );
  assert.equal(store.get(2), undefined);
  assert.deepEqual(told, ['line 2 has another CRC-32']);
  store.close();
  await rm(folder, { recursive: true });
});
