import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { manualClock } from '../lib/clock-manual.ts';
import { eventually, heard, openDoor } from './testing.ts';
import { Trickle } from './trickle.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Bodies of which every piece takes 1 ms of the thread's time. */
function costly(count: number, share: number) {
  const clock = manualClock();
  const trickle = new Trickle(clock, share);
  const pieces = Array.from({ length: count }, () => 0);
  const bodies = pieces.map((_, at) => {
    const body = new Readable({ read() {}, highWaterMark: 1_000 });
    trickle.follow(body);
    body.on('data', () => {
      pieces[at]! += 1;
      clock.advance(1);
    });
    return body;
  });
  const send = (times: number) => {
    for (const body of bodies) for (let n = 0; n < times; n += 1) body.push('x');
  };
  return { clock, trickle, bodies, send, sum: () => pieces.reduce((all, one) => all + one, 0) };
}

test('I6: however many bodies flow, they are read for a few milliseconds and then not for as long as makes up for it', async () => {
  const { clock, send, sum } = costly(10, 0.25);
  send(100);
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  const once = sum();
  assert.ok(once >= 4 && once < 60, `${once} of 1,000 pieces in the first turn`);
  clock.advance(Math.min(50, once * 3) - 1);
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.equal(sum(), once, 'nothing is read before the time is made up for');
  clock.advance(2);
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.ok(sum() > once, 'then they go on');
});

test('all of them come to their end, and a body that ends is forgotten', async () => {
  const { clock, bodies, send, sum } = costly(5, 0.25);
  send(40);
  for (const body of bodies) body.push(null);
  for (let turn = 0; turn < 2_000 && sum() < 200; turn += 1) {
    await nextTurn();
    clock.advance(1);
  }
  assert.equal(sum(), 200);
  await nextTurn();
  assert.ok(bodies.every((body) => body.readableEnded && body.listenerCount('data') === 1));
});

test('a body that comes while none is read waits for its turn', async () => {
  const { clock, trickle, send } = costly(3, 0.1);
  send(20);
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  const late = new Readable({ read() {} });
  let seen = 0;
  trickle.follow(late);
  late.on('data', () => (seen += 1));
  late.push('x');
  await nextTurn();
  assert.equal(seen, 0);
  for (let turn = 0; turn < 200 && seen === 0; turn += 1) {
    clock.advance(10);
    await nextTurn();
  }
  assert.equal(seen, 1);
});

test('unwanted and refused bodies of any size are read to their end, and their connections used again', async () => {
  await using door = await openDoor({ limits: { unkeptShare: 0.05 } });
  const socket = await door.socket();
  const text = heard(socket, '"unwanted":90000');
  const body = '{"a":1}\n'.repeat(90_000);
  const head = (path: string, token: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (const token of ['wrong', 'wrong', 'secret-a1']) {
    socket.write(head('/v1/ingest/zones/z2/http', token) + body);
  }
  assert.equal((await text).match(/HTTP\/1.1 401/g)?.length, 2);
  await eventually(() => door.ingest.stats().underWay === 0);
  assert.ok(door.ingest.stats().heldBytesPeak < 1_000, 'nothing but the answer was held');
});
