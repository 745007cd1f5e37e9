/** The example of docs/producer-library.md does what the page says, against a real server. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { makeCustomer, makeJob } from './support/customer.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './support/server.ts';

const ROOT = join(import.meta.dirname, '..');

test('the example of the producer library stands on its page, and each of its lines arrives once', async () => {
  const example = await readFile(join(ROOT, 'docs/examples/producer.ts'), 'utf8');
  const page = await readFile(join(ROOT, 'docs/producer-library.md'), 'utf8');
  assert.ok(page.includes(example.slice(example.indexOf('import '))), 'the page shows the example');
  const folder = await temporaryFolder('producer-library');
  const sink = await startReceiver();
  const server = await startServer({
    dataDir: join(folder.path, 'server'),
    flags: [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'],
  });
  const token = await makeCustomer(server, 'a1', 'shop');
  await makeJob(server, 'shop', sink.url);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions', 'waybill-source', join(ROOT, 'docs/examples/producer.ts')],
    {
      timeout: 30_000,
      env: {
        ...process.env,
        INGEST_URL: server.ingestUrl,
        CONTROL_URL: server.controlUrl,
        WAYBILL_TOKEN: token,
        SPOOL_DIR: join(folder.path, 'spool'),
      },
    },
  );
  const totals = JSON.parse(stdout) as { written: number; accepted: number; bodies: number };
  assert.deepEqual([totals.written, totals.accepted], [2_500, 2_500]);
  assert.ok(totals.bodies >= 3);
  await eventually('every line arrives', () => sink.lines().length >= 2_500);
  const numbers = sink.lines().map((line) => (JSON.parse(line) as { n: number }).n);
  assert.equal(new Set(numbers).size, 2_500);
  assert.equal(numbers.length, 2_500);
  await server.end('SIGTERM');
  sink.close();
  await folder.remove();
});
