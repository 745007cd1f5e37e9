/** Two shards in one process, seen from outside: who owns what, what a restart with more or fewer does, and one that fails. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkDirectory } from '../../src/check/index.ts';
import { ledgerOf, makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import type { Sent } from '../support/customer.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { spawnServer, startServer, temporaryFolder } from '../support/server.ts';
import type { Server } from '../support/server.ts';
import { ALONE, ZONES, makeZones, shardFlags } from '../support/shards.ts';
import type { ShardsStatus } from '../support/shards.ts';

const folder = await temporaryFolder('shards');
after(() => folder.remove());
const at = (name: string) => join(folder.path, name);
const streamsOf = async (server: Server) =>
  (await server.call<ShardsStatus>('GET', '/v1/status')).shards.map(({ streams }) => streams);

test('I1, I2: two shards own half of the streams each, whichever of them receives lines, over kills and restarts with more', async () => {
  const receiver = await startReceiver();
  const dataDir = at('both');
  let server = await startServer({ dataDir, flags: shardFlags(2) });
  const { jobs, token } = await makeZones(server, receiver);
  assert.deepEqual(await streamsOf(server), [2, 2]);
  const sent: string[] = [];
  let number = 0;
  const epochs = new Map<string, string>();
  const keep = ({ status, body }: Sent, lines: readonly string[]) => {
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.accepted, lines.length);
    sent.push(...lines);
    for (const { stream, epoch } of body.streams ?? []) {
      assert.equal(epochs.get(stream) ?? epoch, epoch, 'a stream has one owner');
      epochs.set(stream, epoch!);
    }
  };
  const line = (zone: string, bytes = 0) =>
    `{"zone":"${zone}.example","n":${number++},"pad":"${'x'.repeat(bytes)}"}`;
  const send = async (to: Server) => {
    const single = ZONES.flatMap((zone) =>
      [1, 1, 200_000].map(async (bytes) => {
        const lines = [line(zone, bytes), line(zone)];
        keep(
          await sendTo(to, token, `zones/${zone}/http_requests`, lines.join('\n'), ALONE),
          lines,
        );
      }),
    );
    const split = [1, 2, 3, 4].map(async (bytes) => {
      const lines = [...ZONES, ...ZONES].map((zone) => line(zone, bytes * 10_000));
      keep(await sendTo(to, token, 'http_requests?by=zone', lines.join('\n'), ALONE), lines);
    });
    await Promise.all([...single, ...split]);
  };
  await send(server);
  // A key is known to the owner, whoever receives the repeat.
  const once = [line('a'), line('d')];
  for (const [index, repeat] of [false, true, true, true].entries()) {
    const key = { ...ALONE, 'idempotency-key': 'k' };
    const answer = await sendTo(server, token, 'http_requests?by=zone', once.join('\n'), key);
    assert.ok(
      answer.body.streams!.every((part) => (part.repeat ?? false) === repeat),
      `${index}`,
    );
  }
  sent.push(...once);
  const metrics = await (await fetch(`${server.controlUrl}/metrics`)).text();
  for (const shard of [0, 1]) {
    assert.match(metrics, new RegExp(`^waybill_up\\{shard="${shard}"\\} 1$`, 'm'));
    const requests = new RegExp(`^waybill_ingest_requests\\{shard="${shard}"\\} [1-9]`, 'm');
    assert.match(metrics, requests, 'both listeners are used');
  }
  await server.end('SIGKILL');

  const fewer = spawnServer({ dataDir, flags: shardFlags(1) });
  assert.equal(await fewer.exited, 1);
  assert.match(fewer.log(), /has 2 shards, and process\.shards is 1: .*left behind/);

  server = await startServer({ dataDir, flags: shardFlags(3) });
  await send(server);
  await makeCustomer(server, 'acc', 'e');
  jobs.push(await makeJob(server, 'e', receiver.url));
  const late = [line('e')];
  keep(await sendTo(server, token, 'zones/e/http_requests', late.join('\n'), ALONE), late);
  assert.deepEqual(await streamsOf(server), [2, 2, 1], 'a new stream goes where there are fewest');
  await eventually('every line arrives', () => new Set(receiver.lines()).size >= sent.length);
  for (const job of jobs) {
    await eventually(`job ${job} rests`, async () => {
      const { total } = await ledgerOf(server, job);
      assert.equal(total.balanced, true);
      return total.waiting === 0 && total.delivered === total.accepted;
    });
  }
  assert.equal(await server.end('SIGTERM'), 0);
  assert.deepEqual([...new Set(receiver.lines())].toSorted(), sent.toSorted());
  const report = await checkDirectory(dataDir, { books: true });
  assert.ok(!('misuse' in report));
  assert.deepEqual(report.problems, []);
  assert.equal(report.lines, sent.length);
  receiver.close();
});
