/** Two shards of which one hangs or dies, and two shards under kills. */
import assert from 'node:assert/strict';
import { rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { killLoop, verdictOf } from '../kill/loop.ts';
import { ledgerOf, sendTo } from '../support/customer.ts';
import type { Sent } from '../support/customer.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { startServer, temporaryFolder } from '../support/server.ts';
import { ALONE, ZONES, makeZones, shardFlags } from '../support/shards.ts';
import type { ShardsStatus } from '../support/shards.ts';

const folder = await temporaryFolder('shards-long');
after(() => folder.remove());
const at = (name: string) => join(folder.path, name);
test('I6, I9: while one shard hangs or is down, the streams of the other go on, and what is about it says so', async () => {
  const receiver = await startReceiver();
  const trigger = at('strike');
  const module = at('strike.mjs');
  await writeFile(module, striking(trigger));
  const server = await startServer({
    dataDir: at('one-down'),
    flags: shardFlags(2),
    nodeFlags: ['--import', pathToFileURL(module).href],
  });
  const { jobs, token } = await makeZones(server, receiver);
  /** Sent again until it comes to a listener that answers: connections of the one that hangs wait with it. */
  const send = (zone: string, n: number): Promise<Sent> =>
    untilAnswered(`zones/${zone}/http_requests`, `{"n":${n}}\n`);
  const sendMixed = (): Promise<Sent> =>
    untilAnswered(
      'http_requests?by=ZoneName',
      ZONES.map((zone) => `{"ZoneName":"${zone}.example"}\n`).join(''),
    );
  const untilAnswered = async (path: string, body: string): Promise<Sent> => {
    for (;;) {
      const sending = sendTo(server, token, path, body, ALONE);
      const late = new Promise<undefined>((resolve) => setTimeout(resolve, 300, undefined));
      const answer = await Promise.race([sending.catch(() => undefined), late]);
      if (answer) return answer;
    }
  };
  for (const [n, zone] of ZONES.entries()) assert.equal((await send(zone, n)).status, 200);
  await writeFile(`${trigger}.new`, 'hang 1');
  await rename(`${trigger}.new`, trigger);
  await eventually('it hangs', () =>
    stat(trigger).then(
      () => false,
      () => true,
    ),
  );
  // Zones are given out in turn: the first and the third are the first shard's.
  for (const zone of ['a', 'c']) assert.equal((await send(zone, 10)).status, 200);
  const status = await server.call<ShardsStatus>('GET', '/v1/status');
  assert.deepEqual(
    status.shards.map(({ state }) => state),
    ['running', 'down'],
  );
  assert.equal((await ledgerOf(server, jobs[0]!)).total.accepted, 2);
  await assert.rejects(ledgerOf(server, jobs[1]!), /503/);
  await eventually('lines of the one that hangs are refused', async () => {
    const { status: code, body } = await send('b', 11);
    return code === 503 && body.error?.code === 'shard_down';
  });
  const both = await sendMixed();
  const outcomes = both.body.streams?.map(({ stream, accepted, refused }) => [
    stream,
    refused?.code ?? accepted,
  ]);
  assert.equal(both.status, 200);
  assert.deepEqual(Object.fromEntries(outcomes ?? []), {
    'zones/a/http_requests': 1,
    'zones/b/http_requests': 'shard_down',
    'zones/c/http_requests': 1,
    'zones/d/http_requests': 'shard_down',
  });
  assert.equal((await ledgerOf(server, jobs[0]!)).total.accepted, 3);
  const ready = await fetch(`${server.controlUrl}/readyz`);
  assert.equal(ready.status, 200);
  const metrics = await (await fetch(`${server.controlUrl}/metrics`)).text();
  assert.match(metrics, /^waybill_up\{shard="0"\} 1$/m);
  assert.match(metrics, /^waybill_up\{shard="1"\} 0$/m);
  server.child.kill('SIGKILL');
  receiver.close();
});

test('I1, I2, I7: a shard that dies under load is started again on the same port, and nothing is lost', async () => {
  const receiver = await startReceiver();
  const trigger = at('kill');
  const module = at('kill.mjs');
  await writeFile(module, striking(trigger));
  const server = await startServer({
    dataDir: at('dies'),
    flags: shardFlags(2),
    nodeFlags: ['--import', pathToFileURL(module).href],
  });
  const { jobs, token } = await makeZones(server, receiver);
  const sent: string[] = [];
  let stopped = false;
  /** A producer that repeats what was not answered, under the same key. */
  const produce = async (zone: string) => {
    for (let n = 0; !stopped; n++) {
      const line = `{"zone":"${zone}","n":${n}}`;
      const headers = { ...ALONE, 'idempotency-key': line };
      for (;;) {
        const path = `zones/${zone}/http_requests`;
        const answer = await sendTo(server, token, path, line, headers).catch(() => undefined);
        if (answer?.status === 200) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      sent.push(line);
    }
  };
  const producers = ZONES.map(produce);
  for (const shard of [0, 1, 0]) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await writeFile(`${trigger}.new`, `throw ${shard}`);
    await rename(`${trigger}.new`, trigger);
    const ends = server.log().split('starting it again').length;
    await eventually('it has died', () => server.log().split('starting it again').length > ends);
    await eventually('it is back', async () => {
      const answer = await fetch(`${server.controlUrl}/readyz`);
      return (await answer.text()) === 'ready\n';
    });
  }
  stopped = true;
  await Promise.all(producers);
  for (const job of jobs) {
    await eventually(`job ${job} rests`, async () => {
      const { total } = await ledgerOf(server, job);
      assert.equal(total.balanced, true);
      return total.waiting === 0;
    });
  }
  assert.equal(await server.end('SIGTERM'), 0);
  // HTTP receivers may see a batch twice that was under way as its thread died; the books count each line once.
  assert.deepEqual([...new Set(receiver.lines())].toSorted(), sent.toSorted());
  receiver.close();
});

/** Makes a shard's thread hang or throw when a file is there that says which; the file is taken away by it. */
const striking = (trigger: string) => `
  import { workerData } from 'node:worker_threads';
  import { existsSync, readFileSync, unlinkSync } from 'node:fs';
  const trigger = ${JSON.stringify(trigger)};
  if (workerData?.orders) setInterval(() => {
    if (!existsSync(trigger)) return;
    const [how, shard] = readFileSync(trigger, 'utf8').split(' ');
    if (Number(shard) !== workerData.shard) return;
    unlinkSync(trigger);
    if (how === 'hang') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
    throw new Error('struck');
  }, 10);`;

test('20 kills of two shards under load lose nothing (I1, I2, I7)', async () => {
  const report = await killLoop({
    kills: 20,
    mostMs: 300_000,
    producers: 8,
    heapMiB: 160,
    stalledUploads: 50,
    shards: 2,
  });
  assert.ok(verdictOf(report), JSON.stringify(report, null, 2));
  assert.equal(report.kills, 20);
  assert.ok(report.repeats > 0, 'a replay was really seen');
});
