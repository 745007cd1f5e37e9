/** The way of a line through the real process: in over HTTP, on disk, out to destinations, in the books. */
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { startS3 } from './servers/s3.ts';
import { ledgerOf, makeCustomer, makeJob, sendTo } from './support/customer.ts';
import { lastingPorts } from './support/ports.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './support/server.ts';

const folder = await temporaryFolder('way');
const out = join(folder.path, 'out');
await mkdir(out);
const options = {
  ...(await lastingPorts()),
  dataDir: join(folder.path, 'data'),
  flags: [
    ...LOCAL_DESTINATIONS,
    '--destinations-file-roots',
    out,
    '--deliver-interval-ms',
    '200',
    '--buffer-low-watermark',
    '0.97',
    '--buffer-high-watermark',
    '0.98',
  ],
};
let server = await startServer(options);
after(async () => {
  await server.end('SIGKILL');
  await folder.remove();
});

/** A line that a parser would not give back as it was: digits, escapes, order, white space. */
const awkward = (n: number) =>
  `{"b":${n}, "a":1732000000123456789,"f":1.10,"s":"caf\\u00e9 \u00e9 \\/","nested":{"z":1,"a":[1e2]}}`;
const PATH = (zone: string) => `zones/${zone}/http_requests`;

async function fileLines(below: string): Promise<string[]> {
  const names = (await readdir(below, { recursive: true })).filter((name) =>
    name.endsWith('.log.gz'),
  );
  const bodies = await Promise.all(names.map((name) => readFile(join(below, name))));
  return bodies.flatMap((body) => gunzipSync(body).toString('utf8').split('\n').slice(0, -1));
}

test('lines come out byte for byte as they came in, at every destination of the stream (the tee)', async (t) => {
  const token = await makeCustomer(server, 'tee', 'tee');
  const receiver = await startReceiver();
  const s3 = await startS3({ bucket: 'way-of-a-line' });
  const jobs = [
    await makeJob(server, 'tee', receiver.url),
    await makeJob(server, 'tee', `file://${out}/tee/{DATE}`),
  ];
  if ('skipped' in s3) t.diagnostic(`S3 left out: ${s3.skipped}`);
  else {
    t.diagnostic(`S3 is ${s3.what}`);
    jobs.push(
      await makeJob(
        server,
        'tee',
        `s3://${s3.bucket}/logs?region=${s3.region}&endpoint=${encodeURIComponent(s3.endpoint)}&access-key-id=${s3.accessKey}&secret-access-key=${s3.secretKey}`,
      ),
    );
  }
  const lines = Array.from({ length: 2_500 }, (_, n) => awkward(n));
  const half = lines.length / 2;
  const first = await sendTo(server, token, PATH('tee'), lines.slice(0, half).join('\n'));
  assert.deepEqual([first.status, first.body.durability, first.body.accepted], [200, 'disk', half]);
  assert.deepEqual(first.body.streams![0]!.offsets, { from: 0, to: half });
  const packed = [
    gzipSync(`${lines.slice(half, half + 600).join('\n')}\n`),
    zstdCompressSync(`${lines.slice(half + 600).join('\n')}\n`),
  ];
  assert.equal(
    (await sendTo(server, token, PATH('tee'), packed[0]!, { 'content-encoding': 'gzip' })).body
      .accepted,
    600,
  );
  assert.equal(
    (await sendTo(server, token, PATH('tee'), packed[1]!, { 'content-encoding': 'zstd' })).body
      .accepted,
    half - 600,
  );
  for (const job of jobs) {
    await eventually(
      `job ${job} has delivered all`,
      async () => (await ledgerOf(server, job)).total.delivered === lines.length,
    );
    const { total, hours } = await ledgerOf(server, job);
    assert.ok(total.balanced && hours.every((hour) => hour.balanced));
  }
  assert.deepEqual(receiver.lines().toSorted(), lines.toSorted());
  assert.deepEqual((await fileLines(join(out, 'tee'))).toSorted(), lines.toSorted());
  if (!('skipped' in s3)) {
    const objects = [...(await s3.objects()).values()].map((body) =>
      gunzipSync(body).toString('utf8'),
    );
    assert.deepEqual(
      objects.flatMap((text) => text.split('\n').slice(0, -1)).toSorted(),
      lines.toSorted(),
    );
    await s3.stop();
  }
  receiver.close();
});

test('a new job gets the next lines within a second, without a restart; lines that nobody wants are not accepted', async () => {
  const token = await makeCustomer(server, 'new', 'new');
  const before = await sendTo(server, token, PATH('new'), '{"n":0}\n');
  assert.deepEqual([before.body.accepted, before.body.unwanted], [0, 1]);
  const receiver = await startReceiver();
  await makeJob(server, 'new', receiver.url);
  const taken = await sendTo(server, token, PATH('new'), '{"n":1}\n');
  assert.deepEqual([taken.body.accepted, taken.body.unwanted], [1, 0]);
  await eventually('it arrives', () => receiver.lines().length > 0);
  assert.deepEqual(receiver.lines(), ['{"n":1}']);
  receiver.close();
});

test('a key answers as before, also after SIGKILL; the same key with another body is refused (I7)', async () => {
  const token = await makeCustomer(server, 'key', 'key');
  const receiver = await startReceiver();
  const job = await makeJob(server, 'key', receiver.url);
  const headers = { 'idempotency-key': 'order-1' };
  const first = await sendTo(server, token, PATH('key'), '{"n":1}\n{"n":2}\n', headers);
  await server.end('SIGKILL');
  server = await startServer(options);
  const again = await sendTo(server, token, PATH('key'), '{"n":1}\n{"n":2}\n', headers);
  assert.equal(again.body.streams![0]!.repeat, true);
  assert.deepEqual(again.body.streams![0]!.offsets, first.body.streams![0]!.offsets);
  const other = await sendTo(server, token, PATH('key'), '{"n":3}\n', headers);
  assert.deepEqual([other.status, other.body.error!.code], [422, 'key_conflict']);
  await eventually('all is settled', async () => (await ledgerOf(server, job)).total.waiting === 0);
  assert.equal((await ledgerOf(server, job)).total.accepted, 2);
  receiver.close();
});

test('lines of many zones in one body are told apart, and one refusal is not another’s', async () => {
  const receiver = await startReceiver();
  for (const zone of ['by1', 'by2']) {
    await makeCustomer(server, 'by', zone);
    await makeJob(server, zone, receiver.url);
  }
  const { token } = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    name: 'central',
    scopes: 'all',
  });
  const body = [
    '{"ZoneName":"by1.example","n":1}',
    '{"ZoneName":"by2.example","n":2}',
    '{"ZoneName":"nobody.example","n":3}',
    '{"ZoneName":"by1.example","n":4}',
  ].join('\n');
  const answer = await sendTo(server, token, 'http_requests?by=ZoneName', body);
  assert.equal(answer.status, 200);
  assert.equal(answer.body.accepted, 3);
  assert.ok(answer.body.streams!.some((stream) => stream.refused));
  await eventually('three lines arrive', () => receiver.lines().length === 3);
  receiver.close();
});

test('a filter excludes, and the books say how many', async () => {
  const token = await makeCustomer(server, 'filter', 'filter');
  const receiver = await startReceiver();
  const filter = JSON.stringify({
    where: { key: 'EdgeResponseStatus', operator: 'geq', value: 500 },
  });
  const job = await makeJob(server, 'filter', receiver.url, { filter });
  const lines = Array.from(
    { length: 100 },
    (_, n) => `{"EdgeResponseStatus":${n < 30 ? 503 : 200},"RayID":"${n}"}`,
  );
  await sendTo(server, token, PATH('filter'), lines.join('\n'));
  await eventually('all is settled', async () => (await ledgerOf(server, job)).total.waiting === 0);
  const { total } = await ledgerOf(server, job);
  assert.deepEqual([total.delivered, total.excluded], [30, { filter: 70 }]);
  assert.ok(total.balanced);
  assert.deepEqual(receiver.lines(), lines.slice(0, 30));
  receiver.close();
});

test('a wrong destination is corrected while its queue is full, and the backlog follows (I3)', async () => {
  const token = await makeCustomer(server, 'mend', 'mend');
  const refusing = await startReceiver();
  refusing.answer(403);
  const job = await makeJob(server, 'mend', refusing.url);
  await sendTo(server, token, PATH('mend'), '{"n":1}\n{"n":2}\n');
  await eventually('the refusal is told to the owner', async () => {
    const { result } = await server.call<{
      result: { last_error: string | null; error_message: string | null };
    }>('GET', `/client/v4/zones/mend/logpush/jobs/${job}`);
    return result.last_error !== null && /403/.test(result.error_message ?? '');
  });
  await eventually('the attempt is listed, with its stage', async () => {
    const { attempts } = await server.call<{
      attempts: { stage: string; status: number; outcome: string }[];
    }>('GET', `/v1/jobs/${job}/attempts`);
    const [last] = attempts;
    return last?.stage === 'destination' && last.status === 403 && last.outcome === 'retry';
  });
  const right = await startReceiver();
  await server.call('PUT', `/client/v4/zones/mend/logpush/jobs/${job}`, {
    destination_conf: right.url,
  });
  await eventually('the backlog follows', () => right.lines().length === 2);
  // The receiver has the lines a moment before the waybill is durable.
  await eventually('the job is told as well again', async () => {
    const { result } = await server.call<{
      result: { last_error: string | null; last_complete: string | null };
    }>('GET', `/client/v4/zones/mend/logpush/jobs/${job}`);
    return result.last_error === null && !Number.isNaN(Date.parse(result.last_complete ?? ''));
  });
  refusing.close();
  right.close();
});

test('a dead destination of one customer does not keep another from delivering (I6)', async () => {
  const dead = await startReceiver();
  dead.hang();
  const alive = await startReceiver();
  const tokens = [
    await makeCustomer(server, 'dead', 'dead'),
    await makeCustomer(server, 'alive', 'alive'),
  ];
  await makeJob(server, 'dead', dead.url);
  await makeJob(server, 'alive', alive.url);
  for (let n = 0; n < 20; n++) {
    await sendTo(server, tokens[0]!, PATH('dead'), `{"n":${n}}\n`);
    await sendTo(server, tokens[1]!, PATH('alive'), `{"n":${n}}\n`);
  }
  await eventually('the living one has all', () => alive.lines().length === 20);
  dead.close();
  alive.close();
});

test('refused lines are counted as not taken, quarantined ones can be fetched', async () => {
  const token = await makeCustomer(server, 'bad', 'bad');
  const receiver = await startReceiver();
  const job = await makeJob(server, 'bad', receiver.url);
  const refused = await sendTo(server, token, PATH('bad'), '{"n":1}\nnonsense\n');
  assert.deepEqual(
    [refused.status, refused.body.error!.code, refused.body.error!.line],
    [400, 'line_shape', 2],
  );
  const kept = await sendTo(
    server,
    token,
    `${PATH('bad')}?invalid=quarantine`,
    '{"n":1}\nnonsense\n',
  );
  assert.deepEqual([kept.status, kept.body.accepted, kept.body.quarantined], [200, 1, 1]);
  const { lines } = await server.call<{ lines: { id: number; reason: string }[] }>(
    'GET',
    '/v1/zones/bad/kept-lines',
  );
  assert.deepEqual(
    lines.map((line) => line.reason),
    ['quarantined'],
  );
  const line = await fetch(`${server.controlUrl}/v1/zones/bad/kept-lines/${lines[0]!.id}`, {
    headers: { authorization: `Bearer ${server.operatorToken}` },
  });
  assert.equal(await line.text(), 'nonsense');
  await eventually(
    'the refusal stands in the ledger',
    async () => (await ledgerOf(server, job)).total.notTaken['line_shape'] === 2,
  );
  receiver.close();
});

test('paused, a job keeps its place; resumed, it goes on where it stopped', async () => {
  const token = await makeCustomer(server, 'pause', 'pause');
  const receiver = await startReceiver();
  const other = await startReceiver();
  const job = await makeJob(server, 'pause', receiver.url);
  await makeJob(server, 'pause', other.url);
  await sendTo(server, token, PATH('pause'), '{"n":1}\n');
  await eventually('the first line is delivered', () => receiver.lines().length === 1);
  const put = (enabled: boolean) =>
    server.call('PUT', `/client/v4/zones/pause/logpush/jobs/${job}`, { enabled });
  await put(false);
  await sendTo(server, token, PATH('pause'), '{"n":2}\n');
  await eventually('the other job gets it', () => other.lines().length === 2);
  assert.deepEqual(receiver.lines(), ['{"n":1}']);
  await put(true);
  await eventually('the paused one follows', () => receiver.lines().length === 2);
  assert.deepEqual(receiver.lines(), ['{"n":1}', '{"n":2}']);
  receiver.close();
  other.close();
});

test('metrics, health and readiness answer without a token', async () => {
  const get = async (path: string) => {
    const answer = await fetch(`${server.controlUrl}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  assert.equal((await get('/healthz')).status, 200);
  assert.equal((await get('/readyz')).status, 200);
  const { status, text } = await get('/metrics');
  assert.equal(status, 200);
  assert.match(text, /^waybill_up 1$/m);
  assert.match(
    text,
    /^waybill_job_lines_delivered_total\{job="1",stream="zones\/tee\/http_requests"\} 2500$/m,
  );
});
