import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { testDialler } from '../../../test/servers/dialler.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import { manualClock } from '../../lib/clock-manual.ts';
import { sampleBatch } from '../conformance.ts';
import { parseDestination } from '../index.ts';
import { verdictOf } from './answers.ts';
import { Receivers } from './receivers.ts';
import { producerOf, waybillSender } from './sender.ts';

const policy = { allowHttp: true, fileRoots: [] };
const batch = sampleBatch(5);
const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  ({ kind: 'answer', status, headers, body: Buffer.from(JSON.stringify(body)) }) as const;
const yes = (accepted: number, more: object = {}) =>
  answer(200, { durability: 'disk', accepted, unwanted: 0, quarantined: 0, ...more });

test('a yes counts only when it accounts for every line', () => {
  const kind = (result: Parameters<typeof verdictOf>[0]) => verdictOf(result, batch, 0).kind;
  assert.equal(kind(yes(batch.lines)), 'accepted');
  assert.equal(kind(yes(batch.lines - 2, { quarantined: 2 })), 'accepted');
  assert.equal(kind(yes(batch.lines - 1)), 'unknown');
  assert.equal(kind(yes(0, { unwanted: batch.lines })), 'not_taken');
  assert.equal(kind(answer(200, 'welcome')), 'unknown');
  assert.equal(kind(answer(204, null)), 'unknown');
  assert.equal(kind(answer(502, 'bad gateway')), 'unknown');
  assert.equal(kind(answer(503, { error: { code: 'disk_full' } })), 'not_taken');
  assert.equal(kind(answer(413, { error: { code: 'body_too_large' } })), 'split');
  assert.equal(kind(answer(400, { error: { code: 'line_shape' } })), 'reject');
  assert.equal(kind(answer(418, { error: { code: 'unheard_of' } })), 'not_taken');
  assert.equal(kind({ kind: 'failed', reason: 'x' }), 'not_taken');
  assert.equal(kind({ kind: 'failed', reason: 'x', mayHaveArrived: true }), 'unknown');
});

test('a batch of unknown fate goes back to the same receiver, and to another only after its time; that is counted', () => {
  const clock = manualClock();
  const receivers = new Receivers(
    ['a', 'b'].map((name) => ({ name, secure: false, hostname: name, port: 1 })),
    clock,
  );
  const chosen = (id: string): string => {
    const choice = receivers.choose(id, 0);
    return choice.kind === 'receiver' ? choice.receiver.name : `wait ${choice.afterMs}`;
  };
  assert.equal(chosen('one'), 'a');
  receivers.failed(0, 'no answer', undefined, 'one');
  assert.equal(chosen('two'), 'b', 'others go on at once');
  assert.equal(chosen('one'), 'wait 500');
  clock.advance(500);
  assert.equal(chosen('one'), 'a');
  receivers.failed(0, 'no answer', undefined, 'one');
  clock.advance(59_400);
  receivers.failed(0, 'no answer', undefined, 'one');
  clock.advance(200);
  assert.equal(chosen('one'), 'b');
  assert.equal(receivers.mayBeTwice, 1);
  clock.advance(60_000);
  assert.equal(chosen('three'), 'a', 'the first one is preferred again');
});

test('a receiver that is full is passed over at once; numbers follow from the plan', async () => {
  const dialler = testDialler();
  const seen: string[] = [];
  const start = async (status: number, body: object) => {
    const server = createServer((request, response) => {
      seen.push(String(request.headers['waybill-producer']));
      request.resume().on('end', () => response.writeHead(status).end(JSON.stringify(body)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  };
  const full = await start(503, { error: { code: 'disk_full' } });
  const good = await start(200, { durability: 'disk', accepted: batch.lines });
  const tools = testTools({ dialler });
  const receivers = new Receivers(
    [full, good].map((server, n) => {
      const { port } = server.address() as AddressInfo;
      return { name: `r${n}`, secure: false, hostname: '127.0.0.1', port };
    }),
    tools.clock,
  );
  const sender = waybillSender({ receivers, token: () => 'secret', tools });
  const outcome = await sender.send(batch, new AbortController().signal);
  assert.equal(outcome.kind, 'accepted');
  assert.deepEqual(seen, Array(2).fill(`${producerOf(batch)};epoch=1;seq=${batch.from}`));
  assert.deepEqual(
    receivers.states().map(({ state }) => state),
    ['failing', 'up'],
  );
  dialler.close();
  for (const server of [full, good]) {
    server.closeAllConnections();
    server.close();
  }
});

test('a conf names receivers, token and stream; what is wrong is said', () => {
  const good = parseDestination('waybill://a,b:99,[::1]:4510/zones/z/d?token=t', policy);
  assert.ok(!Array.isArray(good));
  for (const bad of [
    'waybill://a?tls=false',
    'waybill://?token=t',
    'waybill://a,a?token=t',
    'waybill://a:0?token=t',
    'waybill://a/zones?token=t',
    'waybill://u@a?token=t',
    'waybill://a?token=t&colour=red',
  ])
    assert.ok(Array.isArray(parseDestination(bad, policy)), bad);
});
