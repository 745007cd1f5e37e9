// While ingest is flooded, control API, metrics and command line answer from their own port and thread, and changes take effect.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import { ledgerOf, makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import { COUNTERS } from '../support/flood.worker.ts';
import type { Flood } from '../support/flood.worker.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, MAIN, startServer, temporaryFolder } from '../support/server.ts';
import type { Server } from '../support/server.ts';

const LINE = `{"RayID":"ray","ClientRequestURI":"/${'saturated/'.repeat(40)}"}\n`;
/** Below the bound of connections of one address, so that the test itself has some left. */
const CONNECTIONS = [
  { count: 32, lines: 5_000 },
  { count: 16, lines: 1 },
];
/** How many of them must be waiting for their answer whenever something else is asked. */
const WAITING = 12;

/** Takes everything and keeps nothing. */
async function startSink() {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(204).end());
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
}

function startFlood(server: Server, token: string, zone: string) {
  const count = new Int32Array(new SharedArrayBuffer(4 * Object.keys(COUNTERS).length));
  const workerData: Flood = {
    url: `${server.ingestUrl}/v1/ingest/zones/${zone}/http_requests`,
    token,
    line: LINE,
    connections: CONNECTIONS,
    counters: count.buffer as SharedArrayBuffer,
  };
  const worker = new Worker(new URL('../support/flood.worker.ts', import.meta.url), { workerData });
  const read = (name: keyof typeof COUNTERS) => Atomics.load(count, COUNTERS[name]);
  return {
    read,
    async stop() {
      Atomics.store(count, COUNTERS.stop, 1);
      await eventually('the flood has ended', () => read('underWay') === 0);
      await worker.terminate();
    },
  };
}

/** The command line as a process of its own. */
function waybill(server: Server, ...args: string[]): Promise<string> {
  const env = {
    ...process.env,
    WAYBILL_URL: server.controlUrl,
    WAYBILL_TOKEN: server.operatorToken,
  };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, out, note) => {
      // 1: something is not well, such as an alert of the flood; it has answered all the same.
      if (error && error.code !== 1) reject(new Error(`${args.join(' ')}: ${note}`));
      else resolve(out);
    });
  });
}

interface Status {
  readonly shards: readonly { readonly state: string }[];
  readonly jobs: number;
}

test(
  'control API, metrics and CLI answer while ingest is flooded, and a new job takes effect',
  { timeout: 60_000 },
  async (t) => {
    const folder = await temporaryFolder('saturated');
    const [sink, receiver] = [await startSink(), await startReceiver()];
    const flags = [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'];
    const server = await startServer({ dataDir: folder.path, flags });
    try {
      const token = await makeCustomer(server, 'flood', 'flood');
      const job = await makeJob(server, 'flood', sink.url);
      const flood = startFlood(server, token, 'flood');
      await eventually('ingest is flooded', () => flood.read('underWay') > WAITING);
      await eventually('it takes what it can', () => flood.read('taken') > 20);
      /** Asks while the flood goes on. */
      const flooded = async <T>(ask: () => Promise<T>): Promise<T> => {
        await eventually('the flood goes on', () => flood.read('underWay') > WAITING);
        const before = flood.read('taken') + flood.read('refused');
        const answer = await ask();
        await eventually(
          'it still does',
          () => flood.read('taken') + flood.read('refused') > before,
        );
        return answer;
      };

      for (let round = 0; round < 3; round += 1) {
        const status = await flooded(() => server.call<Status>('GET', '/v1/status'));
        assert.deepEqual(new Set(status.shards.map(({ state }) => state)), new Set(['running']));
        const metrics = await flooded(() => fetch(`${server.controlUrl}/metrics`));
        assert.equal(metrics.status, 200);
        assert.match(await metrics.text(), /^waybill_\w+\{.*\} [1-9]/m);
        const ledger = await flooded(() => ledgerOf(server, job));
        assert.ok(ledger.total.accepted > 0 && ledger.total.balanced);
      }
      const calm = await flooded(() => makeCustomer(server, 'calm', 'calm'));
      await flooded(() => makeJob(server, 'calm', receiver.url));
      await flooded(() =>
        eventually('its line is taken', async () => {
          const { status, body } = await sendTo(server, calm, 'zones/calm/http_requests', LINE);
          return status === 200 && body.accepted === 1;
        }),
      );
      await eventually('and delivered', () => receiver.lines().includes(LINE.trim()));
      const said = await flooded(() => waybill(server, 'status', '--json'));
      const { shards, jobs } = JSON.parse(said) as Status;
      assert.deepEqual([shards.every(({ state }) => state === 'running'), jobs], [true, 2]);
      await flood.stop();
      t.diagnostic(`bodies taken ${flood.read('taken')}, refused ${flood.read('refused')}`);
      assert.equal(flood.read('odd'), 0, 'taken, or refused in words');
    } finally {
      await server.end('SIGKILL');
      sink.close();
      receiver.close();
      await folder.remove();
    }
  },
);
