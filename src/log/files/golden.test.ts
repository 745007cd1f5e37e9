/** Segment files of each format version are kept for ever: this version reads them all, and writes the newest byte by byte. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { all, durable, record, textOf } from '../conformance.ts';
import { openFilesLog } from './open.ts';
import { clockAt, opened, putFiles, segmentFiles, smallOptions } from './testing.ts';

const CREATED_MS = 1_700_000_000_000;

const TEXTS = ['{"a":1}\n', '{"b":2}\n', 'third', 'x'.repeat(3000), 'in the next segment'];

function golden(version: string): Map<string, Buffer> {
  const folder = new URL(`golden/${version}/`, import.meta.url);
  return new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(new URL(name, folder))]),
  );
}

test('version 1 is read', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  await putFiles(disk.files(), golden('v1'));
  const { log, damage, tornTailBytes } = opened(
    await openFilesLog(smallOptions(disk.files(), { shard: 3 })),
  );
  assert.deepEqual(damage, []);
  assert.equal(tornTailBytes, 0);
  assert.equal(log.epoch, 2);
  assert.deepEqual((await all(log)).map(textOf), TEXTS);
});

test('version 1 is written byte by byte', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const clock = clockAt(CREATED_MS);
  const options = smallOptions(disk.files(), { clock, shard: 3, recordBytes: 4096 });
  const { log } = opened(await openFilesLog(options));
  durable(await log.append([record(TEXTS[0]!), record(TEXTS[1]!)]));
  const [third, fourth] = [
    log.append([record(TEXTS[2]!)]),
    log.append([record(TEXTS[3]!)], { roll: true }),
  ];
  durable(await third);
  durable(await fourth);
  durable(await log.append([record(TEXTS[4]!)]));
  await log.close();
  const written = await segmentFiles(disk);
  assert.deepEqual([...written.keys()], [...golden('v1').keys()]);
  for (const [name, bytes] of golden('v1')) assert.ok(written.get(name)?.equals(bytes), name);
});
