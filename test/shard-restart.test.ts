/** A shard's thread that dies of a fault, seen from outside: lines, restarts, signals. */
import assert from 'node:assert/strict';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ledgerOf, makeCustomer, makeJob, sendTo } from './support/customer.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, spawnServer, startServer, temporaryFolder } from './support/server.ts';

const folder = await temporaryFolder('shard-restart');
after(() => folder.remove());
const at = (name: string) => join(folder.path, name);
const WATERMARKS = ['--buffer-low-watermark', '0.97', '--buffer-high-watermark', '0.98'];
const FLAGS = [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200', ...WATERMARKS];

/** Makes the shard's thread throw, or hang, when a file is there; the file is taken away by it. */
async function fault(name: string): Promise<{
  readonly flags: readonly string[];
  readonly strike: (how?: 'hang') => Promise<void>;
}> {
  const trigger = at(`${name}.strike`);
  const module = at(`${name}.mjs`);
  await writeFile(
    module,
    `import { isMainThread } from 'node:worker_threads';
     import { existsSync, readFileSync, unlinkSync } from 'node:fs';
     const trigger = ${JSON.stringify(trigger)};
     if (!isMainThread) setInterval(() => {
       if (!existsSync(trigger)) return;
       const how = readFileSync(trigger, 'utf8');
       unlinkSync(trigger);
       if (how === 'hang') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
       throw new Error('struck');
     }, 10);`,
  );
  return {
    flags: ['--import', pathToFileURL(module).href],
    strike: async (how) => {
      // Under another name first: it is seen whole or not at all.
      await writeFile(`${trigger}.new`, how ?? '');
      await rename(`${trigger}.new`, trigger);
    },
  };
}

/** A checkpoint of a later version: the shard refuses to start beside it. */
const LATER = Buffer.from('5742435063000000000000004f8fa9e4', 'hex');
const obstacle = (dataDir: string) => join(dataDir, 'shards/0/buffer/checkpoint-000000999999.wbc');
const count = (log: string, what: string) => log.split(what).length - 1;

test('I1, I2: what was accepted before the shard’s thread died is delivered once by the next one', async () => {
  const receiver = await startReceiver();
  const { flags, strike } = await fault('accepted');
  const server = await startServer({ dataDir: at('accepted'), flags: FLAGS, nodeFlags: flags });
  const token = await makeCustomer(server, 'a', 'z');
  const job = await makeJob(server, 'z', receiver.url);
  receiver.answer(503);
  assert.equal((await sendTo(server, token, 'zones/z/http_requests', '{"n":1}\n')).status, 200);
  await strike();
  await eventually('it is started again', () =>
    server.log().includes('"shard thread ended; starting it again"'),
  );
  receiver.answer(200);
  await eventually('the line arrives', () => receiver.lines().length > 0);
  await eventually(
    'it is settled',
    async () => (await ledgerOf(server, job).catch(() => undefined))?.total.waiting === 0,
  );
  assert.deepEqual(receiver.lines(), ['{"n":1}']);
  assert.equal((await ledgerOf(server, job)).total.balanced, true);
  assert.equal(await server.end('SIGTERM'), 0);
  receiver.close();
});

test('I9: a shard that cannot start again says why and is tried until what stands in its way is gone', async () => {
  const dataDir = at('refused');
  const { flags, strike } = await fault('refused');
  const server = await startServer({ dataDir, flags: FLAGS, nodeFlags: flags });
  const ready = async () => {
    const answer = await fetch(`${server.controlUrl}/readyz`);
    return { ok: answer.ok, text: await answer.text() };
  };
  await writeFile(obstacle(dataDir), LATER);
  await strike();
  await eventually(
    'it was refused more than once',
    () => count(server.log(), 'starting it again') >= 3,
  );
  const refused = await ready();
  assert.equal(refused.ok, false);
  assert.match(refused.text, /format 99, which a newer version wrote/);
  const metrics = await fetch(`${server.controlUrl}/metrics`);
  assert.equal(metrics.status, 200);
  const text = await metrics.text();
  assert.match(text, /^waybill_up 0$/m);
  // A counter at 0 would look like a new one, and its return like lines.
  assert.doesNotMatch(text, /waybill_lines_delivered_total/);
  await rm(obstacle(dataDir));
  await eventually('it is ready again', async () => (await ready()).ok);
  assert.equal(await server.end('SIGTERM'), 0);
});

test('SIGTERM between two starts of the shard ends the server', async () => {
  const dataDir = at('between');
  const { flags, strike } = await fault('between');
  const server = await startServer({ dataDir, flags: FLAGS, nodeFlags: flags });
  await strike();
  await eventually('it waits to start it again', () => server.log().includes('starting it again'));
  assert.equal(await server.end('SIGTERM'), 0);
});

test('a shard that refuses its folder ends the server, and its words are what is said', async () => {
  const dataDir = at('first');
  await (await startServer({ dataDir, flags: FLAGS })).end('SIGTERM');
  await writeFile(obstacle(dataDir), LATER);
  const refused = spawnServer({ dataDir, flags: FLAGS });
  assert.equal(await refused.exited, 1);
  assert.match(refused.log(), /waybill: .*checkpoint 999999 has format 99/);
});

test('I9: while the shard’s thread hangs, metrics and health answer', async () => {
  const { flags, strike } = await fault('hangs');
  const dataDir = at('hangs');
  const server = await startServer({ dataDir, flags: FLAGS, nodeFlags: flags });
  await strike('hang');
  await eventually('it hangs', () =>
    stat(at('hangs.strike')).then(
      () => false,
      () => true,
    ),
  );
  const metrics = await fetch(`${server.controlUrl}/metrics`);
  assert.equal(metrics.status, 200);
  assert.match(await metrics.text(), /^waybill_up 0$/m);
  assert.equal((await fetch(`${server.controlUrl}/healthz`)).status, 200);
  server.child.kill('SIGKILL');
});
