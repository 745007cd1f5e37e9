/**
 * I1 and I10 against power cuts: whatever was answered `durable` is there, in order and whole, after a crash at any point,
 * also within recovery; nothing that was not offered is ever read; and no damage is told where nothing decayed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { FileSystem } from '../../lib/fs/file-system.ts';
import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import type { OpenOutcome, ShardLog } from '../contract.ts';
import { openFilesLog } from './open.ts';
import { Oracle, act, action, append } from './testing/oracle.ts';
import type { Action } from './testing/oracle.ts';
import { opened, smallOptions } from './testing.ts';

/** How often each property is tried; the long runs raise it. */
const RUNS = Number(process.env['WAYBILL_RUNS'] ?? 150);
const ROUNDS_MOST = 5;

/** One life of a process: what it does until it ends or is ended. */
const life = fc.record({
  actions: fc.array(action, { minLength: 1, maxLength: 12 }),
  /** The call in which it dies, if it gets there; early ones fall into recovery. */
  stopAt: fc.oneof(fc.integer({ min: 1, max: 25 }), fc.integer({ min: 1, max: 150 })),
  /** Killed alone, or with the machine. */
  powerCut: fc.boolean(),
});

async function live(files: FileSystem, oracle: Oracle, actions: readonly Action[]): Promise<void> {
  const open = async () => undamaged(await openFilesLog(smallOptions(files)));
  let log = await open();
  await oracle.check(log);
  for (const todo of actions) {
    await act(log, oracle, todo);
    if (todo.kind !== 'reopen') continue;
    await log.close();
    log = await open();
    await oracle.check(log);
  }
}

function undamaged(outcome: OpenOutcome): ShardLog {
  const { log, damage } = opened(outcome);
  assert.deepEqual(damage, [], 'nothing decayed');
  return log;
}

test('I1: no crash, however often and also in recovery, loses, tears, repeats or invents a group', async () => {
  const seen = { deaths: 0, tornTails: 0, recovered: 0 };
  const property = fc.asyncProperty(
    fc.array(life, { minLength: 1, maxLength: 6 }),
    fc.nat(),
    async (lives, seed) => {
      const disk = new SimDisk({ random: seededRandom(seed) });
      const oracle = new Oracle();
      for (const { actions, stopAt, powerCut } of lives) {
        let died = false;
        const stopped = disk.stopAt(stopAt).then(() => (died = true));
        await Promise.race([live(disk.files(), oracle, actions), stopped]);
        if (died) seen.deaths++;
        if (powerCut) disk.crash();
        else disk.kill();
      }
      disk.crash();
      const outcome = opened(await openFilesLog(smallOptions(disk.files())));
      if (outcome.tornTailBytes > 0) seen.tornTails++;
      assert.deepEqual(outcome.damage, []);
      const unanswered = oracle.offers.filter(({ answer }) => answer === undefined);
      await oracle.check(outcome.log);
      if (unanswered.some(({ answer }) => answer === 'durable')) seen.recovered++;
      await append(outcome.log, oracle.offer([20]));
      assert.equal(oracle.offers.at(-1)?.answer, 'durable', 'a fresh write gets through');
    },
  );
  // The property is about crashes: it must have met them. What is rare takes a second round now and then.
  for (let round = 0; round < ROUNDS_MOST; round += 1) {
    await fc.assert(property, { numRuns: RUNS });
    if (Object.values(seen).every((count) => count > 0)) break;
  }
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `${what} were met`);
});
