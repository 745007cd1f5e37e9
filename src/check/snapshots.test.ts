import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { SimDisk } from '../lib/fs/sim.ts';
import { seededRandom } from '../lib/random.ts';
import { Findings } from './findings.ts';
import { readSnapshots } from './snapshots.ts';

const golden = (name: string): Buffer =>
  readFileSync(new URL(`../control/snapshots/golden/v1/${name}`, import.meta.url));

async function look(files: Readonly<Record<string, Buffer>>) {
  const disk = new SimDisk({ random: seededRandom(1) });
  await disk.files().makeDirectory('/s');
  for (const [name, bytes] of Object.entries(files)) {
    const file = await disk.files().open(`/s/${name}`, 'create');
    if (bytes.length > 0) await file.write([bytes], 0);
    await file.close();
  }
  const findings = new Findings();
  const seen = await readSnapshots(disk.files(), '/s', findings);
  return { seen, problems: findings.list() };
}

const WHOLE = { '00000001.wbs': golden('00000001.wbs'), head: golden('head') };

test('a whole copy has no problem, and its newest version is told', async () => {
  const { seen, problems } = await look(WHOLE);
  assert.deepEqual(problems, []);
  assert.equal(seen?.version, 9);
});

test('any flipped byte of the file is found', async () => {
  const bytes = WHOLE['00000001.wbs'];
  for (let at = 0; at < bytes.length; at += 5) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ (1 << (at % 7)), at);
    const { problems } = await look({ ...WHOLE, '00000001.wbs': changed });
    assert.ok(problems.length > 0, `byte ${at}`);
  }
});

test('a file that lost its end, a head that cannot be read, and files that are gone are told; a cut-off last change is not', async () => {
  const bytes = WHOLE['00000001.wbs'];
  const lines = bytes.toString().split('\n');
  const shorter = Buffer.from(`${lines.slice(0, 4).join('\n')}\n`);
  const lost = await look({ ...WHOLE, '00000001.wbs': shorter });
  assert.match(lost.problems.join(), /ends with version 8, but version 9 was in force/);
  const blind = await look({ ...WHOLE, head: Buffer.alloc(256) });
  assert.match(blind.problems.join(), /head: none of its two slots/);
  const gone = await look({ head: WHOLE.head });
  assert.match(gone.problems.join(), /there is none that can be read/);
  const torn = await look({
    ...WHOLE,
    '00000001.wbs': Buffer.concat([bytes, bytes.subarray(0, 40)]),
  });
  assert.deepEqual(torn.problems, []);
});
