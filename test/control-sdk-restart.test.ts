/** What the SDK changes while a batch waits, over a crash of the real process: the batch goes out as it was planned (I7). */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import Cloudflare from 'cloudflare';
import { makeCustomer, makeJob, sendTo } from './support/customer.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './support/server.ts';

const folder = await temporaryFolder('sdk-restart');
const options = {
  dataDir: join(folder.path, 'data'),
  flags: [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'],
};
let server = await startServer(options);
const receiver = await startReceiver();
after(async () => {
  await server.end('SIGKILL');
  receiver.close();
  await folder.remove();
});

test('I7: a plan that was attempted before a change of content is sent as it was planned, also after a crash', async () => {
  const token = await makeCustomer(server, 'a1', 'z1');
  const job = await makeJob(server, 'z1', receiver.url, {
    output_options: { field_names: ['RayID'] },
  });
  receiver.answer(503);
  await sendTo(server, token, 'zones/z1/http_requests', '{"RayID":"first","ClientIP":"a"}\n');
  await eventually('the batch has been attempted', () => receiver.requests > 0);

  const client = new Cloudflare({
    apiToken: server.operatorToken,
    baseURL: `${server.controlUrl}/client/v4`,
  });
  for (const fields of [['ClientIP'], ['ClientIP', 'RayID']]) {
    await client.logpush.jobs.update(job, {
      zone_id: 'z1',
      output_options: { field_names: fields },
    });
  }
  await sendTo(server, token, 'zones/z1/http_requests', '{"RayID":"second","ClientIP":"b"}\n');
  await server.end('SIGKILL');
  server = await startServer(options);
  receiver.answer(204);
  await eventually('both lines have arrived', () => receiver.lines().length >= 2);
  assert.deepEqual(receiver.lines().toSorted(), [
    '{"ClientIP":"b","RayID":"second"}',
    '{"RayID":"first"}',
  ]);
});
