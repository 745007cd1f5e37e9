/** Floods: who is refused, and what they may cost. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { test } from 'node:test';
import { manualClock } from '../lib/clock-manual.ts';
import { shareConnections } from './connections.ts';
import { Tally } from './tally.ts';
import { openDoor } from './testing.ts';

const STREAMS = 1_000_000;

test('I5: a million streams that nobody wants cost a fixed amount of memory', () => {
  const tally = new Tally(1_000);
  const name = (n: number) => `zones/unwanted${n}/http_requests` as const;
  const fill = (from: number, to: number) => {
    for (let n = from; n < to; n += 1) tally.part({ kind: 'unwanted', stream: name(n), lines: 2 });
  };
  fill(0, 1_000);
  const known = new Set(tally.unwantedByStream.keys());
  fill(1_000, STREAMS);
  fill(0, 1);
  assert.equal(tally.unwantedLines, 2 * STREAMS + 2);
  assert.deepEqual(
    new Set(tally.unwantedByStream.keys()),
    known,
    'no name is kept beyond the first',
  );
  assert.equal(tally.unwantedByStream.get(name(0)), 4);
});

test('I6: over its part of the rate the loud account is refused before its body is read, and the quiet one never is', async () => {
  const clock = manualClock();
  await using door = await openDoor({
    deps: {
      clock: { ...clock, after: () => () => {} },
      fair: { busyShare: () => 1, weightOf: () => 1 },
    },
  });
  const line = `{"a":"${'x'.repeat(1_000)}"}\n`;
  const loud = () => door.post('/v1/ingest/zones/z1/http', line.repeat(200));
  const quiet = () =>
    door.post('/v1/ingest/zones/z3/http', line, { Authorization: 'Bearer secret-a2' });
  const codes: (string | undefined)[] = [];
  for (let round = 0; round < 20; round += 1) {
    for (let request = 0; request < 4; request += 1) codes.push((await loud()).json.error?.code);
    assert.equal((await quiet()).status, 200, `round ${round}`);
    clock.advance(300);
  }
  assert.equal(codes[0], undefined);
  assert.ok(codes.includes('over_fair_share'));
  const refused = door.refusals.filter(({ reason }) => reason === 'over_fair_share');
  assert.ok(refused.length > 0 && refused.every(({ stream }) => stream === 'zones/z1/http'));
  assert.equal(door.ingest.stats().limitedAccounts, 1);
});

test('I5: connections are shared out by address once they are scarce; one address alone may have them all', () => {
  class Peer extends EventEmitter {
    readonly remoteAddress: string;
    isOpen = true;
    constructor(remoteAddress: string) {
      super();
      this.remoteAddress = remoteAddress;
    }
    destroy(): void {
      this.isOpen = false;
    }
  }
  const server = new EventEmitter() as Server;
  shareConnections(server, { connections: 100, connectionsPerAddress: 5 });
  const dial = (address: string, times: number): readonly Peer[] =>
    Array.from({ length: times }, () => {
      const peer = new Peer(address);
      server.emit('connection', peer);
      return peer;
    });
  const openOf = (peers: readonly Peer[]) => peers.filter(({ isOpen }) => isOpen).length;
  assert.equal(server.maxConnections, 100);
  const loud = dial('10.0.0.1', 80);
  assert.equal(openOf(loud), 80, 'a load balancer may have them all');
  assert.equal(openOf(dial('10.0.0.2', 3)), 3);
  assert.equal(openOf(dial('10.0.0.1', 10)), 0, 'it has more than an equal part');
  for (const peer of loud.slice(0, 60)) peer.emit('close');
  assert.equal(openOf(dial('10.0.0.1', 10)), 10, 'there are plenty again');
});
