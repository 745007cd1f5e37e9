// Folders of noise: the offline checker reports on whatever stands there, and a start opens it or says why not.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';

import { checkFolder } from '../src/check/check.ts';
import { decay, forgery } from './proof/noise.ts';
import type { Change } from './proof/noise.ts';
import { diskOf, openRooms } from './proof/open-rooms.ts';
import type { Seen } from './proof/open-rooms.ts';
import { bytesOf, makeFolder, namesIn, SHARD } from './proof/small-folder.ts';
import { runs } from '../src/lib/testing/depth.ts';

/** Runs of each property. */
const RUNS = runs(120);

const whole = new Map<string, Buffer>();

before(async () => {
  const files = await makeFolder('close');
  for (const folder of ['log', 'buffer', 'archive']) {
    for (const path of await namesIn(files, folder, '')) {
      if (/\.(seg|wbc|wba)$/.test(path)) {
        whole.set(path.replace(`${SHARD}/`, ''), await bytesOf(files, path));
      }
    }
  }
});

const changes = (change: fc.Arbitrary<Change>) => fc.array(change, { minLength: 1, maxLength: 3 });

async function changed(all: readonly Change[]) {
  const files = new Map(whole);
  for (const change of all) change(files);
  return (await diskOf(files)).files();
}

test('I10: whatever bytes stand in a folder, the checker says what it finds and never throws', async () => {
  let found = 0;
  await fc.assert(
    fc.asyncProperty(changes(fc.oneof(decay, forgery)), async (all) => {
      const report = await checkFolder(await changed(all), '/data', { books: true });
      found += 'misuse' in report || report.problems.length > 0 ? 1 : 0;
    }),
    { numRuns: RUNS },
  );
  assert.ok(found > RUNS / 3, 'most of it is told');
});

test('I10: whatever a disk makes of a folder, a start opens it or refuses, and reads no wrong line', async () => {
  const is = await openRooms(await changed([]));
  assert.ok(is.kind === 'open');
  const met = { open: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(changes(decay), async (all) => {
      const seen = await openRooms(await changed(all));
      met[seen.kind] += 1;
      if (seen.kind === 'open') compare(is, seen);
      else assert.ok(seen.detail.length > 0);
    }),
    { numRuns: RUNS },
  );
  assert.ok(met.open > 0 && met.refused > 0, JSON.stringify(met));
});

type Open = Extract<Seen, { kind: 'open' }>;

function compare(whole: Open, seen: Open): void {
  for (const [key, { lines }] of seen.streams) {
    for (const [offset, line] of lines.entries()) {
      const was = whole.streams.get(key)?.lines[offset];
      assert.ok(line === undefined || line === was, `${key} line ${offset} is another`);
    }
  }
}
