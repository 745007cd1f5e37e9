/** Requests of medium size are deflated many for one message, and one that comes alone waits for nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import type { DeflateMany } from '../../lib/deflate-many/contract.ts';
import { deflateHere } from '../../lib/deflater.ts';
import { limits } from '../../model/limits.ts';
import { readAll, request, smallLimits, TestShard } from '../testing.ts';
import { DeflateAhead } from './deflate-ahead.ts';
import type { Piece } from './deflate.ts';

type Call = Parameters<DeflateMany>[0];

/** A thread that answers when it is told to. */
function slowThread() {
  const calls: { readonly pieces: Call; readonly answer: (isGone?: boolean) => void }[] = [];
  const deflate: DeflateMany = (pieces, level, keep) =>
    new Promise((resolve) => {
      const made = pieces.map(({ parts }) => {
        const plain = Buffer.concat(parts);
        const bytes = keep(deflateHere(plain, level));
        return { plainCrc: crc32(plain), fragment: { bytes, crc: crc32(bytes) } };
      });
      calls.push({ pieces, answer: (isGone) => resolve(isGone ? undefined : made) });
    });
  return { deflate, calls };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const body = (n: number, bytes = 60_000): Buffer => Buffer.alloc(bytes, `{"n":${n}}\n`);

test('what comes while two calls are under way goes together, in its order, and is told once', async () => {
  const { deflate, calls } = slowThread();
  const told: (Piece | undefined)[] = [];
  let ends = 0;
  const ahead = new DeflateAhead(deflate, () => void (ends += 1));
  for (let n = 0; n < 10; n++) {
    ahead.deflate({ plain: body(n), lines: 1, done: (piece) => told.push(piece) });
  }
  assert.deepEqual(
    calls.map(({ pieces }) => pieces.length),
    [1, 1],
    'the first waits for nobody',
  );
  calls[0]!.answer();
  await turn();
  assert.equal(told.length, 1);
  assert.equal(calls[2]!.pieces.length, 8, 'one message for all that had to wait');
  calls[1]!.answer();
  calls[2]!.answer();
  await turn();
  assert.equal(ends, 3);
  assert.deepEqual(
    told.map((piece) => piece?.plainCrc),
    Array.from({ length: 10 }, (_, n) => crc32(body(n))),
  );
});

test('I5: one call has about a MiB, and one request at least', async () => {
  const { deflate, calls } = slowThread();
  const ahead = new DeflateAhead(deflate, () => {});
  for (let n = 0; n < 60; n++) ahead.deflate({ plain: body(n), lines: 1, done: () => {} });
  calls[0]!.answer();
  await turn();
  const bytes = calls[2]!.pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  assert.ok(bytes <= 2 ** 20 && bytes > 2 ** 19, `${bytes} bytes`);
});

test('when the thread is of no use, all that it had are told so', async () => {
  const { deflate, calls } = slowThread();
  const told: (Piece | undefined)[] = [];
  const ahead = new DeflateAhead(deflate, () => {});
  for (let n = 0; n < 4; n++) {
    ahead.deflate({ plain: body(n), lines: 1, done: (piece) => told.push(piece) });
  }
  for (let n = 0; n < 3; n++) {
    calls[n]!.answer(true);
    await turn();
  }
  assert.deepEqual(told, [undefined, undefined, undefined, undefined]);
});

/** Stores so many requests of 60 KB, each of another stream, that are under way together. */
async function stored(deflateMany: DeflateMany | undefined) {
  const { blockBytes, blockLines, blockKeys } = limits.buffer;
  const shard = new TestShard(
    smallLimits({ blockBytes, blockLines, blockKeys }, { commitBytes: 1e9, segmentBytes: 1e9 }),
  );
  if (deflateMany !== undefined) shard.deps = { deflateMany };
  const buffer = await shard.open();
  const streams = Array.from({ length: 32 }, (_, n) => `zones/z${n}/http`);
  const before = buffer.stats().commits;
  const answers = await Promise.all(
    streams.map((stream) => buffer.append(request([stream.padEnd(60_000, 'x')], { stream }))),
  );
  const { commits } = buffer.stats();
  const lines = await Promise.all(streams.map((stream) => readAll(buffer, stream)));
  await buffer.close();
  return { kinds: answers.map(({ kind }) => kind), lines, commits: commits - before };
}

/** Takes one turn for each piece, as the pool does with two at once. */
const byTurns: DeflateMany = async (pieces, level, keep) => {
  const { deflate, calls } = slowThread();
  const made = deflate(pieces, level, keep);
  for (let n = 0; n < pieces.length; n++) await turn();
  calls[0]!.answer();
  return made;
};

test('requests that are under way together share commits, and lie there as without the thread (I1)', async () => {
  const apart = await stored(byTurns);
  const without = await stored(undefined);
  assert.deepEqual(apart.kinds, without.kinds);
  assert.deepEqual(apart.lines, without.lines);
  assert.ok(apart.commits <= 6, `${apart.commits} commits for 32 requests`);
  const whenGone = await stored(async () => undefined);
  assert.deepEqual(whenGone.lines, without.lines);
});
