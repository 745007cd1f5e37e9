/** Kills in the middle of a replay and of an erasure, again and again: names and books as if nothing had been, nothing comes back. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { checkFolder } from '../../src/check/check.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { ledgerOf, makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import type { Ledger } from '../support/customer.ts';
import { eventually } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';
import type { Server } from '../support/server.ts';

const KILLS = 4;
const PATH = (zone: string) => `zones/${zone}/http_requests`;
const linesOf = (from: number, to: number, mark: string) =>
  Array.from({ length: to - from }, (_, n) => `{"n":${from + n},"m":"${mark}${from + n}"}`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Bench {
  server: Server;
  readonly out: string;
  readonly dataDir: string;
  /** Ends it by SIGKILL and starts it again. */
  kill(): Promise<void>;
}

async function bench(t: TestContext, name: string, more: readonly string[] = []): Promise<Bench> {
  const folder = await temporaryFolder(name);
  const out = join(folder.path, 'out');
  await mkdir(out);
  const flags = [
    ...LOCAL_DESTINATIONS,
    '--destinations-file-roots',
    out,
    '--deliver-interval-ms',
    '200',
    '--buffer-low-watermark',
    '0.97',
    '--buffer-high-watermark',
    '0.98',
    ...more,
  ];
  const dataDir = join(folder.path, 'data');
  const options = { dataDir, flags };
  const made: Bench = {
    server: await startServer(options),
    out,
    dataDir,
    async kill() {
      await made.server.end('SIGKILL');
      made.server = await startServer(options);
    },
  };
  t.after(async () => {
    await made.server.end('SIGKILL');
    await folder.remove();
  });
  return made;
}

async function objectsIn(path: string): Promise<Map<string, string[]>> {
  const names = await readdir(path).catch(() => []);
  const found = new Map<string, string[]>();
  for (const name of names.filter((one) => one.endsWith('.log.gz'))) {
    const text = gunzipSync(await readFile(join(path, name))).toString('utf8');
    found.set(name, text.split('\n').slice(0, -1));
  }
  return found;
}

async function agree({ dataDir, server }: Bench): Promise<void> {
  assert.equal(await server.end('SIGTERM'), 0);
  const report = await checkFolder(nodeFileSystem(), dataDir, { books: true });
  assert.ok('problems' in report);
  assert.deepEqual(report.problems, []);
  assert.ok(report.books.every(({ balanced }) => balanced));
}

test('killed again and again, a replay ends with each line once in the object store, and the books hold', async (t) => {
  const at = await bench(t, 'replay-kill');
  const random = seededRandom(11);
  const token = await makeCustomer(at.server, 'kill', 'kill');
  const job = await makeJob(at.server, 'kill', `file://${at.out}/live`, {
    max_upload_records: 1_000,
  });
  const all = linesOf(0, 30_000, 'x');
  for (let from = 0; from < all.length; from += 5_000) {
    await sendTo(at.server, token, PATH('kill'), all.slice(from, from + 5_000).join('\n'));
  }
  await eventually('live delivery', async () => {
    return (await ledgerOf(at.server, job)).total.delivered === all.length;
  });
  const before = await ledgerOf(at.server, job);
  const { id } = await at.server.call<{ id: number }>('POST', `/v1/jobs/${job}/replays`, {
    from: 'oldest',
    destination_conf: `file://${at.out}/again`,
  });
  const replay = () =>
    at.server.call<{ state: string; waiting: number }>('GET', `/v1/replays/${id}`);
  let midway = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    await pause(100 + random.fraction() * 900);
    const { state, waiting } = await replay();
    if (state === 'running' && waiting < all.length && waiting > 0) midway += 1;
    await at.kill();
  }
  t.diagnostic(`${midway} of ${KILLS} kills came in the middle`);
  await eventually('the replay is done', async () => (await replay()).state === 'done');
  const again = [...(await objectsIn(join(at.out, 'again'))).values()].flat();
  assert.equal(again.length, all.length, 'each line once');
  assert.deepEqual(again.toSorted(), all.toSorted());
  const books = await at.server.call<Ledger>('GET', `/v1/replays/${id}/ledger`);
  assert.deepEqual([books.total.delivered, books.total.balanced], [all.length, true]);
  assert.deepEqual(await ledgerOf(at.server, job), before);
  await agree(at);
});

test('killed in the middle of erasures, none that was answered is undone, none is forgotten, and nobody else loses a line', async (t) => {
  const at = await bench(t, 'erase-kill', ['--buffer-erasure-ms', '0']);
  const random = seededRandom(12);
  const tokens = new Map<string, string>();
  for (const zone of ['gone', 'stays']) {
    tokens.set(zone, await makeCustomer(at.server, zone, zone));
    await makeJob(at.server, zone, `file://${at.out}/${zone}`, { enabled: false });
  }
  const jobs = new Map<string, number>();
  for (const zone of ['gone', 'stays']) {
    jobs.set(zone, await makeJob(at.server, zone, 'http://127.0.0.1:9/nobody'));
  }
  let sent = 0;
  let answered = 0;
  for (let round = 0; round < KILLS; round += 1) {
    for (const zone of ['gone', 'stays']) {
      for (let n = 0; n < 5; n += 1) {
        const line = linesOf(sent + n, sent + n + 1, `Mark${zone}`);
        await sendTo(at.server, tokens.get(zone)!, PATH(zone), line[0]!);
      }
    }
    sent += 5;
    const order = at.server
      .call<{ state: string }>('POST', '/v1/zones/gone/erasures', {})
      .then(({ state }) => {
        if (state === 'in_force') answered = sent;
      })
      .catch(() => {});
    await pause(random.fraction() * 60);
    await at.kill();
    await order;
    const { streams } = await at.server.call<{ streams: readonly { readonly lines: number }[] }>(
      'POST',
      '/v1/zones/gone/erasures/preview',
      {},
    );
    const left = streams.reduce((sum, { lines }) => sum + lines, 0);
    assert.ok(left <= sent - answered, `${left} lines are left of ${sent - answered} at most`);
  }
  await at.server.call('POST', '/v1/zones/gone/erasures', {});
  await eventually('all orders are carried out', async () => {
    const { erasures } = await at.server.call<{ erasures: readonly { readonly state: string }[] }>(
      'GET',
      '/v1/zones/gone/erasures',
    );
    return erasures.every(({ state }) => state === 'done');
  });
  for (const path of await readdir(at.dataDir, { recursive: true, withFileTypes: true })) {
    if (!path.isFile()) continue;
    const bytes = await readFile(join(path.parentPath, path.name)).catch(() => Buffer.alloc(0));
    assert.ok(!bytes.includes('Markgone'), `erased bytes in ${path.name}`);
  }
  await eventually('erased lines are settled', async () => {
    return (await ledgerOf(at.server, jobs.get('gone')!)).total.waiting === 0;
  });
  const { total } = await ledgerOf(at.server, jobs.get('gone')!);
  assert.deepEqual([total.accepted, total.dropped, total.balanced], [sent, { erased: sent }, true]);
  const change = { destination_conf: `file://${at.out}/kept` };
  const path = `/client/v4/zones/stays/logpush/jobs/${jobs.get('stays')!}`;
  await at.server.call('PUT', path, change);
  await eventually('the neighbour has all its lines', async () => {
    return (await ledgerOf(at.server, jobs.get('stays')!)).total.delivered === sent;
  });
  const kept = [...(await objectsIn(join(at.out, 'kept'))).values()].flat();
  assert.deepEqual(kept.toSorted(), linesOf(0, sent, 'Markstays').toSorted());
  await agree(at);
});
