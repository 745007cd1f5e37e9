import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { RemoteGone, connect } from './rpc.ts';
import type { Methods } from './rpc.ts';

function pair<A extends Methods, B extends Methods>(a: A, b: B) {
  const { port1, port2 } = new MessageChannel();
  const left = connect<A, B>(port1, a);
  const right = connect<B, A>(port2, b);
  return { left, right, close: () => (port1.close(), port2.close()) };
}

test("a call is answered with the method's result, in whatever order they end", async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { left, close } = pair(
    {},
    { slow: async (n: number) => (await gate, n), fast: (n: number) => n + 1 },
  );
  const slow = left.remote.slow(1);
  assert.equal(await left.remote.fast(1), 2);
  release();
  assert.equal(await slow, 1);
  close();
});

test('a method that throws rejects the call with its text', async () => {
  const { left, close } = pair(
    {},
    {
      broken: () => {
        throw new Error('because');
      },
    },
  );
  await assert.rejects(left.remote.broken(), /because/);
  close();
});

test('closing fails the calls under way and later ones', async () => {
  const { left, close } = pair({}, { never: () => new Promise<void>(() => {}) });
  const call = left.remote.never();
  left.close('the shard ended');
  await assert.rejects(call, RemoteGone);
  await assert.rejects(left.remote.never(), /the shard ended/);
  close();
});

test('a notice reaches the other side without an answer', async () => {
  let heard: (n: number) => void = () => {};
  const arrived = new Promise<number>((resolve) => (heard = resolve));
  const { left, close } = pair({}, { hear: (n: number) => heard(n) });
  left.notify('hear', 7);
  assert.equal(await arrived, 7);
  close();
});
