/** I4 and I10 for the copy of the configuration: what was answered is there after any crash, and damage is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { History } from './history.ts';
import { Holdings } from './holdings.ts';
import { Journal } from './journal.ts';
import { judgeStart } from './judge.ts';
import { recoverSnapshots, withoutUnconfirmed } from './recover.ts';
import { FOLDER, change, depsOn } from './testing.ts';

const RUNS = Number(process.env['WAYBILL_RUNS'] ?? 150);

/** The control store: what it has committed survives everything here. */
class ModelStore {
  readonly held = new Holdings(0, 1);
  answered = 0;
  readonly sums = new Map<number, string>([[0, this.held.sum]]);
}

async function open(files: FileSystem, store: ModelStore): Promise<Journal> {
  await files.makeDirectory(FOLDER);
  const copy = await recoverSnapshots(files, FOLDER);
  const { version, sum } = store.held;
  if (copy.kind === 'absent') {
    assert.equal(store.answered, 0, 'what was answered is on the copy');
    return await Journal.begin(depsOn(files), Holdings.of(store.held.contents()));
  }
  assert.equal(copy.kind, 'whole', JSON.stringify(copy));
  assert.ok(copy.kind === 'whole');
  const { unconfirmed, holdings } = copy.found;
  const verdict = judgeStart(
    {
      kind: 'whole',
      version: holdings.version,
      sum: holdings.sum,
      ...(unconfirmed
        ? { unconfirmed: { version: holdings.version - 1, sum: unconfirmed.sumBefore } }
        : {}),
    },
    { kind: 'whole', version, sum, sumAt: (at) => store.sums.get(at) },
  );
  assert.ok(verdict.kind === 'agree' || verdict.kind === 'undo', JSON.stringify(verdict));
  const found = verdict.kind === 'undo' ? withoutUnconfirmed(copy.found) : copy.found;
  const journal = await Journal.resume(depsOn(files), found);
  assert.equal(journal.holdings.version, version);
  assert.equal(journal.holdings.sum, sum);
  assert.ok(version >= store.answered, 'what was answered is in force');
  return journal;
}

type Act = { readonly id: string; readonly name: string; readonly refused: boolean };

const act: fc.Arbitrary<Act> = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd'),
  name: fc.string({ maxLength: 60, unit: 'grapheme' }),
  refused: fc.boolean().map((odd) => odd),
});

async function live(files: FileSystem, store: ModelStore, acts: readonly Act[]): Promise<void> {
  const journal = await open(files, store);
  for (const { id, name, refused } of acts) {
    const made = change(journal.holdings.version, id, name);
    const sum = await journal.append(made);
    if (refused) {
      await journal.undo();
      continue;
    }
    store.held.apply(made);
    store.sums.set(store.held.version, store.held.sum);
    assert.equal(store.held.sum, sum);
    await journal.confirm();
    store.answered = store.held.version;
  }
  await journal.settled();
}

test('I4: no crash at any call loses an answered change, keeps a refused one, or leaves what cannot be read', async () => {
  const seen = { deaths: 0, compactions: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          acts: fc.array(act, { maxLength: 12 }),
          stopAt: fc.integer({ min: 1, max: 90 }),
          powerCut: fc.boolean(),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      fc.nat(),
      async (lives, seed) => {
        const disk = new SimDisk({ random: seededRandom(seed) });
        await disk.files().makeDirectory('/data');
        await disk.files().makeDirectory(FOLDER);
        for (const path of [FOLDER, '/data', '/']) await disk.files().syncDirectory(path);
        const store = new ModelStore();
        for (const { acts, stopAt, powerCut } of lives) {
          let died = false;
          const stopped = disk.stopAt(stopAt).then(() => (died = true));
          await Promise.race([live(disk.files(), store, acts), stopped]);
          if (died) seen.deaths++;
          if (powerCut) disk.crash();
          else disk.kill();
        }
        const journal = await open(disk.files(), store);
        if (journal.newest.number > 1) seen.compactions++;
        // And it goes on.
        const made = change(journal.holdings.version, 'z', 'last');
        await journal.append(made);
        await journal.confirm();
        const history = new History(disk.files(), FOLDER, () => journal.newest);
        assert.deepEqual((await history.change(journal.holdings.version))?.edits[0]?.id, 'z');
        await journal.close();
      },
    ),
    { numRuns: RUNS },
  );
  assert.ok(seen.deaths > RUNS / 4, `${seen.deaths} deaths`);
  assert.ok(seen.compactions > 0, 'bases were written anew');
});

async function folderWith(
  changes: number,
  bounds = {},
): Promise<{ disk: SimDisk; journal: Journal }> {
  const disk = new SimDisk({ random: seededRandom(7) });
  const journal = await Journal.begin(depsOn(disk.files(), bounds), new Holdings(0, 1));
  for (let n = 0; n < changes; n++) {
    await journal.append(change(n, `a${n % 5}`, `name ${n}`));
    await journal.confirm();
    await journal.settled();
  }
  return { disk, journal };
}

test('each change can be looked up by its version, over all files', async () => {
  const { disk, journal } = await folderWith(60);
  assert.ok(journal.newest.number > 3, 'there are several files');
  const history = new History(disk.files(), FOLDER, () => journal.newest);
  assert.equal(await history.oldest(), 1);
  for (const version of [1, 2, 17, 40, 59, 60]) {
    const found = await history.change(version);
    assert.equal(found?.version, version);
    assert.match(JSON.stringify(found?.edits[0]?.after), new RegExp(`"name ${version - 1}"`));
  }
  assert.equal(await history.change(61), undefined);
  const all: number[] = [];
  for await (const { version } of history.changes(1, 60)) all.push(version);
  assert.deepEqual(
    all,
    Array.from({ length: 60 }, (_, n) => n + 1),
  );
});

test('I10: any flipped byte of the newest file is told, and what stands before it is used', async () => {
  const { disk, journal } = await folderWith(6, { changeBytesLeast: 1 << 20 });
  const sums = new Map<number, string>();
  const model = new Holdings(0, 1);
  sums.set(0, model.sum);
  for (let n = 0; n < 6; n++) {
    model.apply(change(n, `a${n % 5}`, `name ${n}`));
    sums.set(n + 1, model.sum);
  }
  await journal.close();
  const path = `${FOLDER}/00000001.wbs`;
  const bytes = disk.content(path)!;
  for (let at = 0; at < bytes.length; at += 7) {
    disk.flip(path, at, 1 << (at % 8));
    const found = await recoverSnapshots(disk.files(), FOLDER);
    disk.flip(path, at, 1 << (at % 8));
    assert.notEqual(found.kind, 'absent');
    assert.notEqual(found.kind, 'whole', `byte ${at} flipped`);
    if (found.kind !== 'damaged') continue;
    const { version, sum } = found.found.holdings;
    assert.ok(version < 6);
    assert.equal(sum, sums.get(version), 'the good rest is what was in force once');
  }
  assert.equal((await recoverSnapshots(disk.files(), FOLDER)).kind, 'whole');
});

test('I10: a file that lost its end, were it between two changes, is told as damaged', async () => {
  const { disk, journal } = await folderWith(4, { changeBytesLeast: 1 << 20 });
  const { offsets } = journal.newest;
  await journal.close();
  const file = await disk.files().open(`${FOLDER}/00000001.wbs`, 'write');
  await file.truncate(offsets[2]!);
  await file.sync();
  await file.close();
  const found = await recoverSnapshots(disk.files(), FOLDER);
  assert.ok(found.kind === 'damaged');
  assert.equal(found.found.holdings.version, 2);
  assert.match(found.detail, /ends at version 2 .*version 4 was in force/);
});

test('a newest file whose base is damaged falls back on the one before it', async () => {
  const { disk, journal } = await folderWith(30);
  const { number } = journal.newest;
  assert.ok(number > 1);
  await journal.close();
  disk.flip(`${FOLDER}/${String(number).padStart(8, '0')}.wbs`, 40, 1);
  const found = await recoverSnapshots(disk.files(), FOLDER);
  assert.ok(found.kind === 'damaged', found.kind);
  assert.equal(found.found.file, number - 1);
  assert.ok(found.found.holdings.version > 0);
});

test('a folder whose files are gone is unreadable, and never a first start', async () => {
  const { disk, journal } = await folderWith(2);
  await journal.close();
  for (const name of await disk.files().list(FOLDER))
    if (name !== 'head') await disk.files().unlink(`${FOLDER}/${name}`);
  assert.equal((await recoverSnapshots(disk.files(), FOLDER)).kind, 'unreadable');
});

test('a disk that takes no change refuses it, and the next one begins a new file', async () => {
  const { disk, journal } = await folderWith(2);
  disk.plan({ operation: 'sync', nth: 1, effect: { kind: 'fail', code: 'EIO' } });
  const before = journal.holdings.sum;
  await assert.rejects(journal.append(change(2, 'x', 'lost')));
  assert.equal(journal.holdings.sum, before);
  assert.equal(journal.holdings.version, 2);
  disk.heal();
  await journal.append(change(2, 'y', 'taken'));
  await journal.confirm();
  await journal.close();
  const found = await recoverSnapshots(disk.files(), FOLDER);
  assert.ok(found.kind === 'whole');
  assert.equal(found.found.file, 2);
  assert.equal(found.found.holdings.record('account', 'x'), null);
  assert.notEqual(found.found.holdings.record('account', 'y'), null);
});

test('I5: the folder is bounded, oldest history first, and never below two files', async () => {
  const { disk, journal } = await folderWith(120, { folderBytes: 6_000 });
  const names = (await disk.files().list(FOLDER)).filter((name) => name.endsWith('.wbs'));
  const total = names.reduce((sum, name) => sum + disk.content(`${FOLDER}/${name}`)!.length, 0);
  assert.ok(total < 12_000, `${total} bytes in ${names.length} files`);
  const history = new History(disk.files(), FOLDER, () => journal.newest);
  assert.ok((await history.oldest()) > 1);
  assert.equal(await history.change(1), undefined);
});

test('a new file whose name could not be put on stable storage is never older than what is in force', async () => {
  const { disk, journal } = await folderWith(2, { changeBytesLeast: 1 << 20 });
  disk.plan({ operation: 'syncDirectory', nth: 1, effect: { kind: 'fail', code: 'EIO' } });
  await assert.rejects(journal.rebase());
  disk.heal();
  for (let n = 2; n < 5; n++) {
    await journal.append(change(n, 'b', `later ${n}`));
    await journal.confirm();
  }
  await journal.close();
  disk.kill();
  const found = await recoverSnapshots(disk.files(), FOLDER);
  assert.ok(found.kind === 'whole', JSON.stringify(found));
  assert.equal(found.found.holdings.version, 5);
});
