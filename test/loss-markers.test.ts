/** Loss is told in band, over the real server: docs/loss-notices.md. */
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ledgerOf, makeCustomer, makeJob, sendTo } from './support/customer.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './support/server.ts';

/** Braces are all that ingest asks for; the filter has to look inside. */
const LINES = '{"EdgeResponseStatus":200}\n{"EdgeResponseStatus":}\n{"EdgeResponseStatus":200}\n';
const FILTER = '{"where":{"key":"EdgeResponseStatus","operator":"eq","value":200}}';
const STREAM = 'zones/shop/http_requests';

interface Marker {
  readonly waybill_notice: string;
  readonly job: number;
  readonly stream: string;
  readonly reason: string;
  readonly lines: number;
  readonly offsets: readonly { readonly from: number; readonly to: number }[];
}

const markersAmong = (lines: readonly string[]): Marker[] =>
  lines.filter((line) => line.includes('waybill_notice')).map((line) => JSON.parse(line) as Marker);

describe('loss is told in band', { concurrency: true }, () => {
  test('a destination is told once how many lines it lost and why: as a line where it takes lines, as an object beside batches; also after a kill, and after the destination was down', async () => {
    const folder = await temporaryFolder('loss-markers');
    const receiver = await startReceiver();
    const root = join(folder.path, 'delivered');
    await mkdir(root);
    const start = () =>
      startServer({
        dataDir: join(folder.path, 'data'),
        flags: [
          ...LOCAL_DESTINATIONS,
          '--destinations-file-roots',
          root,
          '--deliver-interval-ms',
          '200',
        ],
      });
    let server = await start();
    try {
      const shop = await makeCustomer(server, 'acme', 'shop');
      const web = await makeJob(server, 'shop', receiver.url, { filter: FILTER });
      const file = await makeJob(server, 'shop', `file://${root}/shop`, {
        filter: FILTER,
        output_options: { output_type: 'csv', field_names: ['EdgeResponseStatus'] },
      });
      assert.equal((await sendTo(server, shop, STREAM, LINES)).status, 200);
      for (const job of [web, file]) {
        await eventually('the line is dropped', async () => {
          const { total } = await ledgerOf(server, job);
          return total.dropped['malformed'] === 1 && total.waiting === 0;
        });
      }
      const before = await ledgerOf(server, web);
      // Killed when the loss is in the books and before anybody was told.
      assert.deepEqual(markersAmong(receiver.lines()), []);
      assert.equal(await server.end('SIGKILL'), 'SIGKILL');
      receiver.answer(503);
      const requests = receiver.requests;
      server = await start();
      await eventually('the receiver refuses', () => receiver.requests > requests);
      receiver.answer(204);
      await eventually('the receiver is told', () => markersAmong(receiver.lines()).length > 0);
      const names = async () => {
        const entries = await readdir(root, { recursive: true });
        return entries.filter((name) => name.endsWith('.loss.json.gz'));
      };
      await eventually('the folder has its object', async () => (await names()).length > 0);
      const offsets = [{ from: 0, to: 3 }];
      const expected = { waybill_notice: 'lines_lost', stream: STREAM, reason: 'malformed' };
      const [line, ...moreLines] = markersAmong(receiver.lines());
      assert.deepEqual(moreLines, []);
      assert.deepEqual(line, { ...line, ...expected, job: web, lines: 1, offsets });
      const [name, ...moreNames] = await names();
      assert.deepEqual(moreNames, []);
      const object = gunzipSync(await readFile(join(root, name!))).toString();
      const [marker] = markersAmong([object]);
      assert.deepEqual(marker, { ...marker, ...expected, job: file, lines: 1, offsets });
      assert.deepEqual(await ledgerOf(server, web), before, 'the books are as without');
      assert.equal((await sendTo(server, shop, STREAM, LINES.split('\n')[0]!)).status, 200);
      await eventually(
        'delivery goes on',
        async () => (await ledgerOf(server, web)).total.delivered === 3,
      );
      assert.equal(markersAmong(receiver.lines()).length, 1);
    } finally {
      await server.end('SIGTERM');
      receiver.close();
      await folder.remove();
    }
  });

  test('turned off, nobody is told in band', async () => {
    const folder = await temporaryFolder('loss-markers-off');
    const receiver = await startReceiver();
    const server = await startServer({
      dataDir: folder.path,
      flags: [
        ...LOCAL_DESTINATIONS,
        '--deliver-interval-ms',
        '200',
        '--deliver-loss-markers',
        'false',
      ],
    });
    try {
      const shop = await makeCustomer(server, 'acme', 'shop');
      const job = await makeJob(server, 'shop', receiver.url, { filter: FILTER });
      assert.equal((await sendTo(server, shop, STREAM, LINES)).status, 200);
      await eventually('the line is dropped', async () => {
        const { total } = await ledgerOf(server, job);
        return total.dropped['malformed'] === 1 && total.waiting === 0;
      });
      // With it on, the marker would be there after two to three seconds.
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      assert.equal(receiver.requests, 1);
      assert.ok(!(await readdir(join(folder.path, 'ledger'))).includes('losses.db'));
    } finally {
      await server.end('SIGTERM');
      receiver.close();
      await folder.remove();
    }
  });
});
