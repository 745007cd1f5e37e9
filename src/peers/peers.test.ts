import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import type { AppendRequest, AppendResult } from '../buffer/index.ts';
import type { Handed, PeersDeps } from './contract.ts';
import { parcel, unpack } from './parcel.ts';
import { Peers } from './peers.ts';

const KIB = 1024;
const linesOf = (texts: readonly string[]) => {
  const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
  let at = 0;
  const ends = new Uint32Array(texts.map((text) => (at += Buffer.byteLength(text) + 1)));
  return { bytes, ends };
};
/** Lines in memory of their own, of so many bytes. */
const alone = (bytes: number) => {
  const memory = Buffer.allocUnsafeSlow(bytes).fill('x');
  memory[bytes - 1] = 10;
  return { bytes: memory, ends: new Uint32Array([bytes]) };
};
const handed = (over: Partial<Handed> = {}): Handed => ({
  stream: 'zones/z/d',
  account: 'a',
  lines: linesOf(['{}']),
  via: [],
  isMovable: false,
  ...over,
});

interface Stored {
  readonly request: AppendRequest;
  readonly via: readonly string[];
  readonly answer: (result: AppendResult) => void;
}

/** Two shards; the second one's answers are given by hand. */
function twoShards(t: TestContext, deps: Partial<PeersDeps> = {}) {
  const stored: Stored[] = [];
  const regained: ArrayBuffer[] = [];
  const atTurnEnd = (work: () => void) => void setImmediate(work);
  const mine = new Peers({
    store: () => assert.fail('nothing is handed to it'),
    regain: (memory) => void regained.push(memory),
    mostBytes: 1_000 * KIB,
    atTurnEnd,
    ...deps,
  });
  const other = new Peers({
    store: (request, via) =>
      new Promise((answer) => void stored.push({ request, via, answer: (r) => answer(r) })),
    regain: () => assert.fail('nothing was moved from it'),
    mostBytes: 0,
    atTurnEnd,
  });
  const { port1, port2 } = new MessageChannel();
  mine.join(1, port1);
  other.join(0, port2);
  t.after(() => port1.close());
  return { mine, stored, regained, end: () => port2.close() };
}

const STORED: AppendResult = {
  kind: 'stored',
  epoch: 'e',
  range: { from: 3, to: 4 },
  repeat: false,
};
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

const request = fc.record({
  stream: fc.constantFrom('zones/a/d', 'zones/b/d'),
  texts: fc.array(
    fc.string({ maxLength: 40 }).map((text) => text.replaceAll('\n', ' ')),
    {
      minLength: 1,
      maxLength: 5,
    },
  ),
  padBytes: fc.constantFrom(0, 0, 20 * KIB),
  isMovable: fc.boolean(),
  identity: fc.constantFrom('none', 'key', 'producer'),
  packedBytes: fc.option(fc.integer({ min: 1, max: 20 * KIB })),
});

test('whatever a turn brings, moved or copied, arrives as it was', () => {
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 8 }), (wishes) => {
      const all = wishes.map((wish): Handed => {
        const { stream, texts, padBytes, packedBytes, isMovable, identity } = wish;
        const lines = linesOf([...texts, 'p'.repeat(padBytes)]);
        const own = Buffer.allocUnsafeSlow(lines.bytes.length);
        lines.bytes.copy(own);
        return {
          ...handed({ stream, isMovable }),
          lines: { bytes: isMovable ? own : lines.bytes, ends: lines.ends },
          ...(identity === 'key' && {
            identity: { kind: 'key', hash: Buffer.alloc(16, texts.length) },
          }),
          ...(identity === 'producer' && {
            identity: { kind: 'producer', producer: 5n, epoch: 1, sequence: texts.length },
          }),
          ...(packedBytes && {
            deflated: {
              // With some room behind it, as it is made.
              fragment: Buffer.allocUnsafeSlow(packedBytes + 8)
                .fill(7)
                .subarray(0, packedBytes),
              crc: packedBytes,
            },
          }),
        };
      });
      const before = all.map(({ lines, stream, account, identity, deflated }) => ({
        stream,
        account,
        lines: { bytes: Buffer.from(lines.bytes), ends: lines.ends.slice() },
        ...(identity && { identity }),
        ...(deflated && {
          deflated: { fragment: Buffer.from(deflated.fragment), crc: deflated.crc },
        }),
      }));
      const { message, moved } = parcel(1, all);
      assert.deepEqual(unpack(structuredClone(message, { transfer: moved })), before);
    }),
    { numRuns: 100 },
  );
});

test('parts that share memory are moved together, and their memory is moved once', () => {
  const { bytes } = alone(40 * KIB);
  const ends = new Uint32Array([20 * KIB, 20 * KIB]);
  const part = (index: number): Handed => ({
    ...handed({ isMovable: true }),
    lines: {
      bytes: bytes.subarray(index * 20 * KIB, (index + 1) * 20 * KIB),
      ends: ends.subarray(index, index + 1),
    },
  });
  const { message, moved } = parcel(1, [part(0), part(1)]);
  assert.equal(moved.length, 2);
  const [first, second] = unpack(structuredClone(message, { transfer: moved }));
  assert.equal(first!.lines.bytes.buffer, second!.lines.bytes.buffer);
  assert.deepEqual([first!.lines.ends[0], second!.lines.ends[0]], [20 * KIB, 20 * KIB]);
});

test('I1: lines are answered when their owner has stored them, and a large body’s memory comes back', async (t) => {
  const { mine, stored, regained } = twoShards(t);
  const large = alone(256 * KIB);
  const memory = large.bytes.buffer;
  let answered = 0;
  const both = [
    mine.append(1, handed({ lines: large, isMovable: true, via: ['w'] })),
    mine.append(1, handed()),
  ].map((answer) => answer.finally(() => answered++));
  await until(() => stored.length === 2);
  assert.equal(memory.byteLength, 0, 'moved, not copied');
  assert.equal(stored[0]!.request.lines.bytes.length, 256 * KIB);
  assert.deepEqual(stored[0]!.via, ['w']);
  assert.equal(answered, 0);
  for (const { answer } of stored) answer(STORED);
  assert.deepEqual(await Promise.all(both), [STORED, STORED]);
  assert.deepEqual(
    regained.map(({ byteLength }) => byteLength),
    [256 * KIB],
  );
  assert.equal(mine.waitingBytes, 0);
});

test('memory of lines that were not stored does not come back: somebody may still look at it', async (t) => {
  const { mine, stored, regained } = twoShards(t);
  const answer = mine.append(1, handed({ lines: alone(256 * KIB), isMovable: true }));
  await until(() => stored.length === 1);
  stored[0]!.answer({ kind: 'refused', reason: 'not_durable', retryAfterMs: 1 });
  assert.equal((await answer).kind, 'refused');
  assert.deepEqual(regained, []);
});

test('I5, I6: what one shard may have before it is bounded, and one that hangs or is gone is answered for at once', async (t) => {
  const { mine, stored, end } = twoShards(t, { mostBytes: 100 * KIB });
  const refused = async (answer: ReturnType<Peers['append']>) => {
    const result = await answer;
    return result.kind === 'refused' ? result.reason : result.kind;
  };
  const first = mine.append(1, handed({ lines: alone(90 * KIB) }));
  assert.equal(await refused(mine.append(1, handed({ lines: alone(20 * KIB) }))), 'overloaded');
  mine.hangs(1, true);
  assert.equal(await refused(first), 'shard_down', 'nothing is known of it');
  assert.equal(await refused(mine.append(1, handed())), 'shard_down');
  mine.hangs(1, false);
  const second = mine.append(1, handed({ lines: alone(90 * KIB) }));
  await until(() => stored.length === 2);
  stored[0]!.answer(STORED);
  end();
  assert.equal(await refused(second), 'shard_down');
  assert.equal(await refused(mine.append(1, handed())), 'shard_down');
  assert.equal(await refused(mine.append(7, handed())), 'shard_down', 'not met yet');
  assert.equal(mine.waitingBytes, 0);
});

test('a thread that starts in the place of another takes over its lines', async (t) => {
  const { mine, end } = twoShards(t);
  end();
  const { port1, port2 } = new MessageChannel();
  t.after(() => port1.close());
  mine.join(1, port1);
  const next = new Peers({
    store: async () => STORED,
    regain() {},
    mostBytes: 0,
    atTurnEnd: (work) => work(),
  });
  next.join(0, port2);
  assert.deepEqual(await mine.append(1, handed()), STORED);
});
