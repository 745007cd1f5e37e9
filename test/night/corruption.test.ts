// Each byte of each file of a data folder that the real server wrote, flipped in turn (I10).
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { filesOf, makeFolder } from '../proof/folder.ts';
import { startReceiver } from '../proof/rig.ts';
import { placesIn } from '../proof/segments.ts';
import { sweepAll } from '../proof/sweep-all.ts';
import { tryStart } from '../proof/sweep-process.ts';
import { EMPTY, spread } from '../proof/sweep.ts';
import { temporaryFolder } from '../support/server.ts';

/** Starts of the real server in one night. */
const STARTS = 1_500;

for (const killed of [false, true]) {
  const whose = killed ? 'a killed server' : 'a server that ended in order';

  test(`every byte of the data folder of ${whose} flipped in turn (I4, I10)`, async (t) => {
    const root = await temporaryFolder('corruption-night');
    const receiver = await startReceiver();
    const directory = join(root.path, 'data');
    const folder = await makeFolder(directory, receiver, { bodies: 2, linesPerBody: 3, killed });
    const found = await sweepAll({
      directory,
      processes: 2,
      mostMs: 3 * 3_600_000,
      say: (text) => t.diagnostic(text),
    });
    assert.deepEqual(found.problems, []);
    assert.equal(found.unfinished, 0);
    for (const { bytes, flips } of Object.values(found.rooms)) assert.equal(flips, bytes);

    const work = join(root.path, 'work');
    await mkdir(work);
    const all = await filesOf(directory);
    const damageable = new Map([...all].filter(([name]) => !EMPTY.test(name)));
    const { blocks } = await placesIn(join(directory, 'shards', '0', 'log'));
    const problems: string[] = [];
    for (const { name, at, changed } of spread(damageable, STARTS)) {
      const path = join(directory, name);
      const hit = blocks.find(
        ({ path: of, record }) => of === path && record.from <= at && at < record.to,
      );
      const files = new Map(all).set(name, changed);
      const trial = await tryStart(folder, files, name, receiver, work, hit?.lines ?? 0);
      problems.push(...trial.problems.map((problem) => `${name} byte ${at}: ${problem}`));
    }
    assert.deepEqual(problems, []);
    receiver.close();
    await root.remove();
  });
}
