/** Many pieces deflated by another thread: what comes back is what is made here, or nothing at all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { manualClock } from '../clock-manual.ts';
import { deflateHere } from '../deflater.ts';
import { runs } from '../testing/depth.ts';
import { DeflatingThread } from './caller-side.ts';
import type { DeflatedPiece, PlainPiece } from './contract.ts';
import type { Order } from './messages.ts';
import { deflateForOthers } from './thread-side.ts';

const keep = (fragment: Uint8Array): Buffer => Buffer.from(fragment);

/** The slow, obvious way. */
function here({ parts }: PlainPiece, level: number): DeflatedPiece {
  const plain = Buffer.concat(parts);
  const bytes = deflateHere(plain, level);
  const fragment = bytes.length < plain.length ? { bytes, crc: crc32(bytes) } : undefined;
  return { plainCrc: crc32(plain), fragment };
}

function pieceOf(parts: readonly Uint8Array[]): PlainPiece {
  return { parts, bytes: parts.reduce((sum, part) => sum + part.length, 0) };
}

/** Both ends in this thread. */
async function withThread<T>(work: (thread: DeflatingThread) => Promise<T>): Promise<T> {
  const { port1, port2 } = new MessageChannel();
  const thread = new DeflatingThread(port1, manualClock());
  deflateForOthers(port2);
  try {
    while ((await thread.deflate([], 3, keep)) === undefined) await turn();
    return await work(thread);
  } finally {
    port1.close();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const noise = fc.uint8Array({ maxLength: 400 });
const lines = fc
  .tuple(fc.nat(400), fc.string({ maxLength: 20 }))
  .map(([times, text]) => Buffer.from(`{"text":${JSON.stringify(text)}}\n`.repeat(times)));
const pieces = fc.array(fc.array(fc.oneof(noise, lines), { maxLength: 4 }).map(pieceOf), {
  maxLength: 40,
});

test('pieces become the very bytes that they become here, in their order, of whatever parts and level', async () => {
  await withThread((thread) =>
    fc.assert(
      fc.asyncProperty(
        fc.array(pieces, { maxLength: 4 }),
        fc.integer({ min: 1, max: 9 }),
        async (calls, level) => {
          const made = await Promise.all(calls.map((call) => thread.deflate(call, level, keep)));
          assert.deepEqual(
            made,
            calls.map((call) => call.map((piece) => here(piece, level))),
          );
        },
      ),
      { numRuns: runs(100) },
    ),
  );
});

test('more than one order holds, and a piece that is larger than one, come back whole', async () => {
  const text = (n: number): Buffer =>
    Buffer.from(`{"n":${n},"more":"${'x'.repeat(n % 90)}"}\n`.repeat(700));
  const many = Array.from({ length: 60 }, (_, n) => pieceOf([text(n)]));
  const large = pieceOf(Array.from({ length: 60 }, (_, n) => text(n)));
  assert.ok(large.bytes > 2 ** 20);
  const all = [...many, large, ...many];
  const made = await withThread((thread) => thread.deflate(all, 3, keep));
  assert.deepEqual(
    made,
    all.map((piece) => here(piece, 3)),
  );
});

test('until the thread has said that it is ready nobody waits for it', async () => {
  const { port1, port2 } = new MessageChannel();
  const thread = new DeflatingThread(port1, manualClock());
  try {
    assert.equal(await thread.deflate([pieceOf([Buffer.from('a')])], 3, keep), undefined);
  } finally {
    port2.close();
  }
});

test('when the thread ends, nothing of what it had under way is taken, whatever it still says', async () => {
  const { port1, port2 } = new MessageChannel();
  const orders: Order[] = [];
  port2.on('message', (order: Order) => void orders.push(order));
  const clock = manualClock();
  const thread = new DeflatingThread(port1, clock);
  try {
    port2.postMessage('ready');
    while ((await thread.deflate([], 3, keep)) === undefined) await turn();
    clock.advance(10_000);
    assert.equal(thread.silentMs(), 0, 'it has nothing to do');
    const waiting = thread.deflate(
      Array.from({ length: 3 }, () => pieceOf([Buffer.alloc(200_000)])),
      3,
      () => assert.fail('nothing is kept'),
    );
    while (orders.length < 3) await turn();
    clock.advance(400);
    assert.equal(thread.silentMs(), 400);
    for (const { memory, order } of orders) new Uint8Array(memory)[0] = order;
    for (const { memory, order } of orders)
      assert.equal(new Uint8Array(memory)[0], order, 'no memory is used twice');
    thread.end();
    const one = Uint32Array.of(1);
    port2.postMessage({ order: orders[0]!.order, plainCrcs: one, lengths: one, crcs: one });
    assert.equal(await waiting, undefined);
    await turn();
    assert.equal(await thread.deflate([], 3, keep), undefined);
    assert.equal(thread.silentMs(), 0);
  } finally {
    port2.close();
  }
});
