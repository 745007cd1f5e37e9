import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import { diagnosticsTo } from '../../lib/diagnostics.ts';
import { nodeFileSystem } from '../../lib/fs/node.ts';
import { systemRandom } from '../../lib/random.ts';
import { wantedKey, writeWanted } from '../../model/wanted-set.ts';
import type { WantedSet } from '../../model/wanted-set.ts';
import { WantedKeeper } from './keeper.ts';

const setOf = (version: number, count: number): WantedSet => ({
  version,
  streams: Array.from({ length: count }, (_, n) => ({
    stream: `zones/z${n}/http_requests` as const,
    account: 'a1',
  })),
  ended: [],
});

function world() {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-wanted-'));
  const taken: number[] = [];
  const logged: string[] = [];
  let token = 'token';
  const open = () =>
    WantedKeeper.open({
      files: nodeFileSystem(),
      directory,
      source: { ask: () => Promise.resolve({ kind: 'failed', detail: 'nobody is there' }) },
      token: () => token,
      waitMs: 0,
      clock: systemClock,
      random: systemRandom,
      diagnostics: diagnosticsTo(
        (line) => logged.push(line),
        () => 0,
      ),
      onSet: ({ version }) => taken.push(version),
    });
  const text = (set: WantedSet, by = token) => writeWanted(set, wantedKey(by));
  return {
    directory,
    taken,
    logged,
    open,
    text,
    renew: () => (token = 'renewed'),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

test('the last good set outlives whatever comes after it, and a restart, and a renewed token (I4)', async () => {
  const { taken, logged, open, text, renew, remove } = world();
  let keeper = await open();
  assert.equal(await keeper.consider(text(setOf(3, 9))), 'taken');
  const good = text(setOf(5, 9));
  assert.equal(await keeper.consider(good), 'taken');
  const bad = [
    text(setOf(6, 0)),
    text(setOf(6, 5)),
    text(setOf(4, 9)),
    text(setOf(6, 9), 'another'),
    ...Array.from({ length: good.length - 2 }, (_, length) => good.slice(0, length)),
  ];
  for (const document of bad) assert.notEqual(await keeper.consider(document), 'taken', document);
  assert.deepEqual([keeper.current?.version, keeper.state().state], [5, 'last_good']);
  assert.ok(logged.some((line) => line.includes('"alarm"')));
  renew();
  keeper = await open();
  assert.deepEqual([keeper.current?.version, keeper.current?.streams.length], [5, 9]);
  assert.notEqual(await keeper.consider(text(setOf(6, 0))), 'taken');
  assert.deepEqual(taken, [3, 5]);
  remove();
});

test('a damaged kept set is told, and the one before it stands in; it is never an empty one (I4, I10)', async () => {
  const { directory, logged, open, text, remove } = world();
  const keeper = await open();
  await keeper.consider(text(setOf(3, 9)));
  await keeper.consider(text(setOf(5, 9)));
  const path = join(directory, 'wanted.json');
  const bytes = readFileSync(path);
  for (const damaged of [
    Buffer.alloc(0),
    bytes.subarray(0, 100),
    Buffer.from(bytes).fill(0, 80, 90),
  ]) {
    writeFileSync(path, damaged);
    assert.equal((await open()).current?.version, 3);
  }
  assert.ok(logged.some((line) => line.includes('damaged')));
  remove();
});
