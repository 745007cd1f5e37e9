/** The control store with the copy beside it: what is told, what is refused, and how it comes back (I4). */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { mock, test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import { diagnosticsTo } from '../../lib/diagnostics.ts';
import { nodeFileSystem } from '../../lib/fs/node.ts';
import { openStore } from '../opening.ts';
import { RECORDS } from '../store/records.ts';
import type { CopiedStore } from './copied-store.ts';
import { account, change } from './testing.ts';

interface Rig {
  readonly directory: string;
  readonly path: string;
  readonly logged: string[];
  store: CopiedStore;
  reopen(): Promise<void>;
}

async function using(work: (rig: Rig) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-copied-'));
  const logged: string[] = [];
  const diagnostics = diagnosticsTo(
    (line) => logged.push(line),
    () => 0,
  );
  const open = async (): Promise<CopiedStore> => {
    const files = nodeFileSystem();
    const deps = { files, directory, clock: systemClock, diagnostics, mustExist: false };
    const opened = await openStore(deps);
    assert.ok(opened.kind === 'open', JSON.stringify(opened));
    return opened.store;
  };
  const rig: Rig = {
    directory,
    path: join(directory, 'control.db'),
    logged,
    store: await open(),
    async reopen() {
      await this.store.close();
      this.store = await open();
    },
  };
  try {
    for (let n = 0; n < 4; n++) await commit(rig.store, n, `a${n}`, 'name');
    await work(rig);
  } finally {
    await rig.store.close();
    rmSync(directory, { recursive: true });
  }
}

async function commit(store: CopiedStore, base: number, id: string, name: string): Promise<void> {
  assert.deepEqual(await store.commit(change(base, id, name)), {
    kind: 'committed',
    version: base + 1,
  });
}

test('content that decayed in the store is found by looking at all of it, and rebuilt with its history', async () => {
  await using(async (rig) => {
    const before = await rig.store.changes({ limit: 10 });
    const objects = new DatabaseSync(rig.path);
    objects.exec(
      `UPDATE objects SET body = replace(body, '"name":"name"', '"name":"game"') WHERE id = 'a2'`,
    );
    objects.close();
    await rig.store.look(false);
    assert.equal(rig.store.readOnly(), undefined, 'what it says of itself is as before');
    await rig.store.look(true);
    assert.match(rig.store.readOnly() ?? '', /is damaged/);
    const refused = await rig.store.commit(change(4, 'x', 'y'));
    assert.equal(refused.kind, 'failed');
    assert.deepEqual(
      await rig.store.changes({ limit: 10 }),
      before,
      'the copy has the same history',
    );
    const rebuilt = await rig.store.rebuild();
    assert.ok(rebuilt.kind === 'rebuilt' && rebuilt.aside?.startsWith(`${rig.path}.replaced-`));
    assert.equal(rig.store.readOnly(), undefined);
    assert.deepEqual(await rig.store.changes({ limit: 10 }), before);
    assert.deepEqual(await rig.store.rebuild(), { kind: 'nothing' });
    await commit(rig.store, 4, 'b', 'after');
    await rig.reopen();
    assert.equal(rig.store.readOnly(), undefined);
    assert.equal(rig.store.standing.version, 5);
  });
});

test('a change that somebody else made in the store is never built on, and what was refused is on neither side', async () => {
  await using(async (rig) => {
    const stranger = new DatabaseSync(rig.path);
    stranger.exec('UPDATE meta SET version = version + 1');
    stranger.close();
    const refused = await rig.store.commit(change(4, 'x', 'lost'));
    assert.equal(refused.kind, 'failed');
    assert.match(rig.store.readOnly() ?? '', /a change that was not made here/);
    assert.equal(rig.store.standing.version, 4);
    await rig.reopen();
    assert.equal(rig.store.standing.readOnly?.trouble, 'newer_version');
    const loaded = await rig.store.load();
    assert.ok(loaded.kind === 'loaded');
    assert.ok(!loaded.contents.records.account.some(({ id }) => id === 'x'));
    assert.ok(rig.logged.some((line) => line.includes('"alarm"')));
  });
});

test('the right file put back is taken by itself; an older one is not', async () => {
  await using(async (rig) => {
    const [right, older] = [`${rig.path}.right`, `${rig.path}.older`];
    copyFileSync(rig.path, older);
    await commit(rig.store, 4, 'b', 'newer');
    copyFileSync(rig.path, right);
    writeFileSync(rig.path, '');
    await rig.store.look(false);
    assert.equal(rig.store.standing.readOnly?.trouble, 'empty');
    copyFileSync(older, rig.path);
    await rig.store.look(false);
    assert.equal(rig.store.standing.readOnly?.trouble, 'older');
    copyFileSync(right, rig.path);
    await rig.store.look(false);
    assert.equal(rig.store.readOnly(), undefined);
    await commit(rig.store, 5, 'c', 'goes on');
  });
});

test('the history by scope is the same from the copy as from the store', async () => {
  await using(async (rig) => {
    const removal = { kind: 'account' as const, id: 'c', before: account('c', 'c'), after: null };
    await commit(rig.store, 4, 'c', 'c');
    await rig.store.commit(change(5, 'c', 'c', { edits: [removal], concerns: [['accounts/c']] }));
    const ending = await rig.store.changes({ limit: 10, withBefore: true });
    assert.deepEqual(
      ending.map(({ version }) => version),
      [6],
    );
    const query = { limit: 10, scope: 'accounts/a1' };
    const before = await rig.store.changes(query);
    assert.equal(before.length, 1);
    rmSync(rig.path);
    await rig.store.look(false);
    assert.deepEqual(await rig.store.changes(query), before);
    assert.deepEqual(await rig.store.changes({ limit: 10, withBefore: true }), ending);
    assert.deepEqual(
      (await rig.store.changes({ limit: 2, before: 4 })).map(({ version }) => version),
      [3, 2],
    );
    assert.deepEqual(
      (await rig.store.changes({ limit: 9, after: 4 })).map(({ version }) => version),
      [6, 5],
    );
  });
});

test('without its copy a store of earlier versions goes on, and has one from then on', async () => {
  await using(async (rig) => {
    await rig.store.close();
    rmSync(join(rig.directory, 'snapshots'), { recursive: true });
    await rig.reopen();
    assert.equal(rig.store.readOnly(), undefined);
    assert.equal(rig.store.standing.copyDamage, undefined);
    await commit(rig.store, 4, 'b', 'later');
    rmSync(rig.path);
    await rig.reopen();
    assert.equal(rig.store.standing.readOnly?.trouble, 'missing');
    assert.equal(rig.store.standing.version, 5);
    assert.equal((await rig.store.rebuild()).kind, 'rebuilt');
  });
});

test('a store that holds what the copy holds is not read into records once more; one that decayed is told at the start', async () => {
  await using(async (rig) => {
    const { sum } = rig.store.standing;
    const reads = mock.method(RECORDS.account, 'safeParse');
    try {
      await rig.reopen();
      assert.equal(reads.mock.callCount(), 4, 'each account of the copy once');
    } finally {
      reads.mock.restore();
    }
    assert.equal(rig.store.standing.sum, sum);
    await commit(rig.store, 4, 'b', 'goes on');
    const objects = new DatabaseSync(rig.path);
    objects.exec(
      `UPDATE objects SET body = replace(body, '"name":"name"', '"name":"game"') WHERE id = 'a2'`,
    );
    objects.close();
    await rig.reopen();
    assert.match(rig.store.readOnly() ?? '', /is damaged/);
    assert.equal(rig.store.standing.version, 5, 'the copy is in force');
  });
});
