// A data folder that the real server wrote, with one byte of it flipped, with files missing, emptied or from the future (I10).
// A sample of bytes; each of them has its turn in test/night.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { crc32 } from 'node:zlib';

import { filesOf, makeFolder } from '../proof/folder.ts';
import type { Folder } from '../proof/folder.ts';
import { startReceiver } from '../proof/rig.ts';
import type { Receiver } from '../proof/rig.ts';
import { placesIn } from '../proof/segments.ts';
import { sweepControl } from '../proof/sweep-control.ts';
import { sweepLedger } from '../proof/sweep-ledger.ts';
import { tryStart } from '../proof/sweep-process.ts';
import { EMPTY, spread, sweepShard } from '../proof/sweep.ts';
import { temporaryFolder } from '../support/server.ts';

const SIZE = { bodies: 8, linesPerBody: 5 };

let root: Awaited<ReturnType<typeof temporaryFolder>>;
let receiver: Receiver;
/** Ended in order, and by SIGKILL. */
const folders: Record<'closed' | 'killed', Folder> = {} as never;

before(async () => {
  root = await temporaryFolder('corruption');
  receiver = await startReceiver();
  for (const end of ['closed', 'killed'] as const) {
    receiver.clear();
    receiver.closed.clear();
    const killed = end === 'killed';
    folders[end] = await makeFolder(join(root.path, end), receiver, { ...SIZE, killed });
  }
});
after(async () => {
  receiver.close();
  await root.remove();
});

for (const end of ['closed', 'killed'] as const) {
  test(`a flipped byte in the shard of a ${end} server costs at most its block, is told, and is never a line (I10)`, async () => {
    const { flips, problems } = await sweepShard(folders[end].directory, 200);
    assert.deepEqual(problems, []);
    assert.ok(flips >= 200);
  });

  test(`a flipped byte in the configuration of a ${end} server, store or copy, changes nothing (I4, I10)`, async () => {
    const work = join(root.path, `control-${end}`);
    await mkdir(work);
    const { flips, problems } = await sweepControl(folders[end].directory, work, 400);
    assert.deepEqual(problems, []);
    assert.ok(flips >= 200);
  });

  test(`a flipped byte in the sums, attempts, alerts and kept lines of a ${end} server keeps nobody from starting, and no kept line is wrong (I10)`, async () => {
    const { flips, problems } = await sweepLedger(folders[end].directory, 1_000);
    assert.deepEqual(problems, []);
    assert.ok(flips >= 1_000);
  });

  test(`a ${end} server's folder with a flipped byte starts and loses at most a block, or says why not (I10)`, async (t) => {
    const folder = folders[end];
    const all = await filesOf(folder.directory);
    const damageable = new Map([...all].filter(([name]) => !EMPTY.test(name)));
    const { blocks } = await placesIn(join(folder.directory, 'shards', '0', 'log'));
    const work = join(root.path, `work-${end}`);
    const [problems, refusals]: [string[], string[]] = [[], []];
    let [starts, lost] = [0, 0];
    for (const { name, at, changed } of spread(damageable, 12)) {
      const path = join(folder.directory, name);
      const hit = blocks.find(
        ({ path: of, record }) => of === path && record.from <= at && at < record.to,
      );
      const files = new Map(all).set(name, changed);
      const trial = await tryStart(folder, files, name, receiver, work, hit?.lines ?? 0);
      problems.push(...trial.problems.map((problem) => `${name} byte ${at}: ${problem}`));
      if (trial.started) starts++;
      else refusals.push(name);
      lost += trial.lost;
    }
    assert.deepEqual(problems, []);
    t.diagnostic(`${starts} starts, ${lost} lines lost and told; refused for ${refusals.join()}`);
    assert.ok(
      refusals.every((name) => name === 'secrets.key'),
      'only without its key it does not start',
    );
  });
}

/** A file of the closed folder's shard, by the end of its name: the oldest is 0, the newest -1. */
function shardFile(files: ReadonlyMap<string, Buffer>, ending: string, index: number): string {
  return [...files.keys()].filter((name) => name.endsWith(ending)).at(index)!;
}

/** Lines of a segment that nobody has taken yet. */
async function owedIn(folder: Folder, name: string): Promise<number> {
  const { blocks } = await placesIn(join(folder.directory, 'shards', '0', 'log'));
  let owed = 0;
  for (const { path, epoch, first, lines } of blocks) {
    const promised = folder.promised.find((each) => each.epoch === epoch)!;
    if (path !== join(folder.directory, name)) continue;
    owed += Math.max(0, first + lines - Math.max(first, promised.delivered));
  }
  return owed;
}

for (const [what, index] of [
  ['oldest', 0],
  ['middle', 1],
  ['newest', -1],
] as const) {
  for (const [how, change] of [
    ['missing', (files: Map<string, Buffer>, name: string) => void files.delete(name)],
    ['empty', (files: Map<string, Buffer>, name: string) => void files.set(name, Buffer.alloc(0))],
    [
      'of zeros',
      (files: Map<string, Buffer>, name: string) =>
        void files.set(name, Buffer.alloc(files.get(name)!.length)),
    ],
  ] as const) {
    test(`the ${what} segment ${how}: its waiting lines are lost and told, or the start says why not (I10)`, async (t) => {
      const files = await filesOf(folders.closed.directory);
      const name = shardFile(files, '.seg', index);
      const owed = await owedIn(folders.closed, name);
      change(files, name);
      const work = join(root.path, 'work');
      const trial = await tryStart(folders.closed, files, name, receiver, work, owed);
      assert.deepEqual(trial.problems, []);
      if (trial.started) assert.equal(trial.lost, owed);
      t.diagnostic(trial.started ? `${trial.lost} lines lost and told` : trial.refusal);
    });
  }
}

/** Files that must not all be missing, and what is said when they are. */
const NEEDED: readonly (readonly [string, RegExp, RegExp])[] = [
  ['control.db', /^(control\.db|snapshots\/.*)$/, /control\.db is missing/],
  ['secrets.key', /^secrets\.key$/, /secrets\.key is missing/],
];
for (const [name, missing, told] of NEEDED) {
  test(`${name} missing beside the data of earlier runs, with what could stand in for it, is refused and not made anew (I4, I10)`, async () => {
    const files = await filesOf(folders.closed.directory);
    for (const file of files.keys()) if (missing.test(file)) files.delete(file);
    const trial = await tryStart(folders.closed, files, name, receiver, join(root.path, 'work'), 0);
    assert.deepEqual(trial.problems, []);
    assert.match(trial.refusal, told);
  });
}

for (const [what, missing] of [
  ['the control store', /^control\.db$/],
  ['the copy of the configuration', /^snapshots\/.*$/],
] as const) {
  test(`${what} missing costs no line: the other one stands in for it (I4)`, async () => {
    const files = await filesOf(folders.closed.directory);
    for (const file of files.keys()) if (missing.test(file)) files.delete(file);
    const name = shardFile(files, '.wbc', -1);
    const trial = await tryStart(folders.closed, files, name, receiver, join(root.path, 'work'), 0);
    assert.deepEqual(trial.problems, []);
    assert.ok(trial.started, trial.refusal);
    assert.equal(trial.lost, 0);
  });
}

for (const [what, pick] of [
  ['the newest checkpoint', (name: string, newest: string) => name === newest],
  ['every checkpoint', (name: string) => name.endsWith('.wbc')],
  ['the sums', (name: string) => name.startsWith('ledger/')],
] as const) {
  test(`${what} missing costs no line`, async () => {
    const files = await filesOf(folders.closed.directory);
    const newest = shardFile(files, '.wbc', -1);
    for (const name of files.keys()) if (pick(name, newest)) files.delete(name);
    const work = join(root.path, 'work');
    const trial = await tryStart(folders.closed, files, newest, receiver, work, 0);
    assert.deepEqual(trial.problems, []);
    assert.ok(trial.started, trial.refusal);
    assert.equal(trial.lost, 0);
  });
}

/** A version of the future, with a checksum that holds. */
const FUTURE: readonly (readonly [string, (bytes: Buffer) => void])[] = [
  [
    '.seg',
    (bytes) => {
      bytes.writeUInt16LE(99, 8);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
    },
  ],
  [
    '.wbc',
    (bytes) => {
      bytes.writeUInt16LE(99, 4);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
    },
  ],
];
for (const [ending, change] of FUTURE) {
  test(`a ${ending} of a future format is refused by its name, and nothing is touched`, async () => {
    const files = await filesOf(folders.closed.directory);
    const name = shardFile(files, ending, -1);
    change(files.get(name)!);
    const trial = await tryStart(folders.closed, files, name, receiver, join(root.path, 'work'), 0);
    assert.deepEqual(trial.problems, []);
    assert.ok(!trial.started);
    assert.match(trial.refusal, /newer/);
  });
}

test('a control store of a future format is left as it is, and delivery goes on from the copy (I4)', async () => {
  const files = await filesOf(folders.closed.directory);
  const bytes = files.get('control.db')!;
  // SQLite's user_version.
  bytes.writeUInt32BE(99, 60);
  const work = join(root.path, 'work');
  const trial = await tryStart(folders.closed, files, 'control.db', receiver, work, 0);
  assert.deepEqual(trial.problems, []);
  assert.ok(trial.started && trial.lost === 0, trial.refusal);
  assert.deepEqual(await readFile(join(work, 'control.db')), bytes);
});

test('an archive file of a future format is left as it is, and delivery goes on', async () => {
  const files = await filesOf(folders.closed.directory);
  const name = shardFile(files, '.wba', -1);
  const bytes = files.get(name)!;
  bytes.writeUInt16LE(99, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 24)), 24);
  const work = join(root.path, 'work');
  const trial = await tryStart(folders.closed, files, name, receiver, work, 0);
  assert.deepEqual(trial.problems, []);
  assert.ok(trial.started && trial.lost === 0, trial.refusal);
  assert.deepEqual(await readFile(join(work, name)), bytes);
});
