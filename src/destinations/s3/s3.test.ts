import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { testDialler } from '../../../test/servers/dialler.ts';
import { startScriptedReceiver } from '../../../test/servers/scripted-http.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import { systemClock } from '../../lib/clock.ts';
import { silent } from '../../lib/diagnostics.ts';
import { createGuardedDialler } from '../../lib/net/guarded-dialler.ts';
import { sampleBatch } from '../conformance.ts';
import type { SendOutcome } from '../destination.ts';
import { openDestination } from '../index.ts';
import { answerFor, CODES } from './answers.ts';

const going = new AbortController().signal;

/** Sends through a dialler that only notes which name it is asked for. */
async function hostFor(conf: string, ambientCredentials = false): Promise<[string, SendOutcome]> {
  const asked = new Set<string>();
  const note = (host: string): Promise<string[]> => {
    asked.add(host);
    return Promise.reject(Object.assign(new Error(host), { code: 'ENOTFOUND' }));
  };
  const dialler = createGuardedDialler({
    resolver: { resolve4: note, resolve6: note },
    allow: [],
    clock: systemClock,
    diagnostics: silent,
    connectMs: 5_000,
    idleMs: 5_000,
    idleSockets: 1,
    socketsPerHost: 1,
  });
  const sender = await openDestination(conf, testTools({ dialler, ambientCredentials }));
  const outcome = await sender.send(sampleBatch(), going);
  await sender.close();
  dialler.close();
  return [[...asked].join(), outcome];
}

const KEYS = 'access-key-id=AKIA1&secret-access-key=s';

describe('s3', () => {
  test('without an endpoint the bucket is asked for at Amazon in its region', async () => {
    const [host, outcome] = await hostFor(`s3://my-logs/a?region=eu-central-1&${KEYS}`);
    assert.equal(host, 'my-logs.s3.eu-central-1.amazonaws.com');
    assert.equal(outcome.kind, 'retry');
    assert.match(outcome.reason, /^DNS: the host name was not found/);
  });

  test('with an endpoint the bucket stands in the path, unless the service wants it in the host', async () => {
    const at = `s3://my-logs/a?endpoint=oss.example.com&${KEYS}`;
    assert.equal((await hostFor(at))[0], 'oss.example.com');
    assert.equal((await hostFor(`${at}&path-style=false`))[0], 'my-logs.oss.example.com');
  });

  test("the machine's own credentials are used only where the account may", async () => {
    const conf = 's3://my-logs/a?region=eu-central-1';
    const [nobody, refused] = await hostFor(conf);
    assert.equal(nobody, '');
    assert.match(JSON.stringify(refused), /access-key-id is needed/);
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIAOWN';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'own';
    try {
      assert.equal((await hostFor(conf, true))[0], 'my-logs.s3.eu-central-1.amazonaws.com');
    } finally {
      delete process.env['AWS_ACCESS_KEY_ID'];
      delete process.env['AWS_SECRET_ACCESS_KEY'];
    }
  });

  test('an object is the gzip itself, with its batch in the metadata', async () => {
    const receiver = await startScriptedReceiver();
    const dialler = testDialler();
    const endpoint = `http://receiver.test:${receiver.port}`;
    const conf = `s3://my-logs/dt={DATE}?endpoint=${endpoint}&sse=AES256&${KEYS}`;
    const sender = await openDestination(conf, testTools({ dialler }));
    const batch = sampleBatch();
    await sender.send(batch, going);
    const [request] = receiver.received;
    assert.ok(request);
    assert.equal(request.method, 'PUT');
    assert.match(request.path, new RegExp(`^/my-logs/dt%3D20260102/${batch.name}\\?`));
    const { headers } = request;
    assert.equal(headers['content-type'], 'application/gzip');
    assert.equal(headers['content-encoding'], undefined);
    assert.equal(headers['transfer-encoding'], undefined);
    assert.equal(headers['content-length'], String(batch.bodyBytes));
    assert.equal(headers['expect'], undefined);
    assert.equal(headers['x-amz-content-sha256'], batch.sha256);
    assert.equal(headers['x-amz-server-side-encryption'], 'AES256');
    assert.equal(headers['x-amz-meta-waybill-batch-id'], batch.id);
    assert.equal(headers['x-amz-meta-waybill-offsets'], `${batch.epoch}:0-${batch.to}`);
    assert.ok(!Object.keys(headers).some((name) => name.startsWith('x-amz-checksum')));
    assert.match(headers['user-agent'] ?? '', /Waybill\//);
    await sender.close();
    dialler.close();
    await receiver.close();
  });

  test('codes decide before statuses, and unknown ones fall back to the status', () => {
    for (const [code, { kind }] of Object.entries(CODES))
      assert.equal(answerFor(400, code).kind, kind);
    assert.equal(answerFor(400, 'InvalidArgument').kind, 'reject');
    assert.equal(answerFor(403, undefined).kind, 'retry');
    assert.equal(answerFor(413, 'constructor').kind, 'split');
    assert.equal(answerFor(599, 'Odd').kind, 'retry');
    assert.equal(answerFor(301, undefined).kind, 'retry');
    assert.equal(answerFor(418, undefined).kind, 'retry');
  });
});
