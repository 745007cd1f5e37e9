/** The thread that deflates small blocks, as a shard has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../lib/clock-manual.ts';
import { systemClock } from '../../lib/clock.ts';
import { deflateHere } from '../../lib/deflater.ts';
import { silent } from '../../lib/diagnostics.ts';
import { smallBlockDeflater } from './deflater.ts';
import type { SmallBlockDeflater } from './deflater.ts';

const plain = Buffer.from('{"n":1,"status":200}\n'.repeat(300));
const pieces = [{ parts: [plain], bytes: plain.length }];
const keep = (fragment: Uint8Array): Buffer => Buffer.from(fragment);

/** The thread keeps no process alive, so something has to. */
async function loaded({ deflate }: SmallBlockDeflater): Promise<void> {
  while ((await deflate([], 3, keep)) === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('small blocks are deflated in a thread that is made when it is needed, and waited for by nobody before it is there', async () => {
  const thread = smallBlockDeflater({
    clock: systemClock,
    diagnostics: silent,
    silentMs: 60_000,
    restMs: 0,
  });
  try {
    assert.equal(await thread.deflate(pieces, 3, keep), undefined);
    await loaded(thread);
    const [made] = (await thread.deflate(pieces, 3, keep)) ?? [];
    assert.deepEqual(made?.fragment?.bytes, deflateHere(plain, 3));
  } finally {
    await thread.close();
  }
  assert.equal(await thread.deflate(pieces, 3, keep), undefined);
});

test('one that hangs is ended, its blocks are the shard’s again, and it is not made anew at once (I5, I6)', async () => {
  const alarms: string[] = [];
  const clock = manualClock();
  const script = new URL(
    `data:text/javascript,import { parentPort } from 'node:worker_threads';
     parentPort.postMessage('ready');
     parentPort.once('message', () => { for (;;); });`,
  );
  const diagnostics = { ...silent, alarm: (event: string) => void alarms.push(event) };
  const options = { clock, diagnostics, silentMs: 5_000, restMs: 60_000 };
  const thread = smallBlockDeflater({ ...options, script });
  try {
    for (let round = 1; round <= 2; round++) {
      await loaded(thread);
      const waiting = thread.deflate(pieces, 3, keep);
      clock.advance(4_900);
      assert.equal(alarms.length, round - 1, 'it may take its time');
      clock.advance(1_400);
      assert.equal(alarms.length, round);
      assert.equal(await waiting, undefined);
      assert.equal(await thread.deflate(pieces, 3, keep), undefined);
      clock.advance(59_900);
      assert.equal(await thread.deflate(pieces, 3, keep), undefined, 'no new one yet');
      clock.advance(200);
    }
  } finally {
    await thread.close();
  }
});
