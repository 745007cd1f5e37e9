import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpaceGuard } from './chores/space.ts';
import type { SpaceDeps } from './chores/space.ts';
import { linesOf } from './testing.ts';
import { manualClock } from '../lib/clock-manual.ts';
import { silent } from '../lib/diagnostics.ts';

/** A guard over streams that hold so many waiting bytes, on an empty disk of 1,000 bytes. */
function guardOver(
  waiting: Readonly<Record<string, number>>,
  shares: Readonly<Record<string, number>>,
  heldBytes: number,
  elsewhere?: Readonly<Record<string, number>>,
) {
  const told: [string, number][][] = [];
  const streams = new Map(
    Object.entries(waiting).map(([account, bytes]) => [
      account,
      { account, bytes, oldest: 0, floor: () => 0, bytesBefore: () => 0 },
    ]),
  );
  const clock = manualClock();
  const guard = new SpaceGuard({
    files: { space: () => Promise.resolve({ freeBytes: 900, totalBytes: 1_000, inMemory: false }) },
    directory: '/data',
    clock,
    diagnostics: silent,
    state: { streams },
    limits: {
      streams: 10,
      newStreamsPerMinute: 10,
      newStreamsBurst: 10,
      lowWatermark: 0.8,
      highWatermark: 0.9,
      reserveBytes: 1,
    },
    weightOf: () => 1,
    diskShares: () => new Map(Object.entries(shares)),
    heldBytes: () => heldBytes,
    ...(elsewhere && {
      diskSharers: {
        shards: 2,
        backlogOf: (account: string) => elsewhere[account] ?? 0,
        tell: (backlogs: ReadonlyMap<string, number>) => void told.push([...backlogs]),
      },
    }),
  } as unknown as SpaceDeps);
  const lines = linesOf(['{}']);
  const admit = (account: string) =>
    guard.admit({ stream: account, account, lines }, false)?.reason;
  return { guard, admit, told };
}

test('an account above its share of the disk is refused, however empty the disk is, and nobody else is (I5, I6)', async () => {
  const { guard, admit } = guardOver({ a: 300, b: 300 }, { a: 0.2 }, 600);
  await guard.look();
  assert.equal(admit('a'), 'over_fair_share');
  assert.equal(admit('b'), undefined);
});

test('the share counts bytes as they lie on disk, not as they came', async () => {
  const { guard, admit } = guardOver({ a: 1_500 }, { a: 0.2 }, 150);
  await guard.look();
  assert.equal(admit('a'), undefined);
});

test('what waits for an account at other shards of the same disk counts too, and they are told what waits here (I5)', async () => {
  const { guard, admit, told } = guardOver({ a: 200, b: 200 }, { a: 0.2, c: 0.2 }, 200, {
    a: 150,
    c: 250,
  });
  await guard.look();
  assert.equal(admit('a'), 'over_fair_share', '100 of its bytes lie here, 150 elsewhere');
  assert.equal(admit('c'), 'over_fair_share', 'all of them lie elsewhere');
  assert.equal(admit('b'), undefined);
  assert.deepEqual(told, [[['a', 100]]]);
});

test('between two looks each shard lets in its part of what is free, so that together they leave the reserve', async () => {
  const { guard } = guardOver({}, {}, 0, {});
  await guard.look();
  const lines = (bytes: number) => linesOf(['x'.repeat(bytes - 1)]);
  const admit = (bytes: number) =>
    guard.admit({ stream: 's', account: 's', lines: lines(bytes) }, false)?.reason;
  assert.equal(admit(300), 'disk_full');
  assert.equal(admit(100), undefined);
});
