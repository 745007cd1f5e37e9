/** A marker secret is planted in every destination; nothing that leaves an island may hold it, in any spelling. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { testDialler } from '../../test/servers/dialler.ts';
import { testTools } from '../../test/servers/scripted-rig.ts';
import { sampleBatch } from './conformance.ts';
import {
  describeDestinations,
  hasProblems,
  openDestination,
  parseDestination,
  redactDestination,
} from './index.ts';

const MARK = 'mArKer/sEcret+123';
const TOKEN = 'mArKersEcret123';
const SPELLINGS = [
  MARK,
  encodeURIComponent(MARK),
  TOKEN,
  Buffer.from(MARK).toString('base64'),
  Buffer.from(TOKEN).toString('base64'),
];

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const PEM_PART = PEM.slice(60, 100);

const policy = { allowHttp: true, fileRoots: [] };

/** By scheme, for a receiver at a port of this machine. */
function confs(port: number): Readonly<Record<string, string>> {
  const at = `127.0.0.1:${port}`;
  const mark = encodeURIComponent(MARK);
  const key = {
    type: 'service_account',
    client_email: 'a@b',
    private_key: PEM,
    token_uri: `http://${at}/token`,
  };
  const file = encodeURIComponent(`base64:${Buffer.from(JSON.stringify(key)).toString('base64')}`);
  const channel = '9d6c3e0a-94e8-4c2c-8d5b-2f3a1f0b7c11';
  const raw = `${at}/services/collector/raw?tls=false&header_Authorization=Splunk%20${mark}`;
  return {
    s3: `s3://logs/a?region=r&endpoint=http://${at}&access-key-id=K&secret-access-key=${mark}`,
    r2: `r2://logs/a?account-id=${'0'.repeat(32)}&access-key-id=K&secret-access-key=${mark}`,
    gs: `gs://logs/a?endpoint=http://${at}&credentials=${file}`,
    azure: `azure://${at}/logs/a?tls=false&sp=cw&sig=${mark}`,
    kinesis: `kinesis://logs?region=r&endpoint=http://${at}&access-key-id=K&secret-access-key=${mark}`,
    kafka: `kafka://${at}/logs?tls=false&sasl-mechanism=PLAIN&username=u&password=${mark}`,
    https: `https://${at}/?header_A=${mark}&api_key=${mark}`,
    http: `http://${at}/?header_A=${mark}&api_key=${mark}`,
    splunk: `splunk://${raw}&channel=${channel}`,
    datadog: `datadog://${at}/api/v2/logs?tls=false&header_DD-API-KEY=${mark}`,
    sentinelone: `sentinelone://${raw}`,
    newrelic: `newrelic://${at}/log/v1?tls=false&Api-Key=${mark}`,
    sumo: `sumo://${at}/receiver/v1/http/${TOKEN}?tls=false`,
    ibmcl: `ibmcl://${at}/logs/v1/singles?tls=false&ibm_api_key=${mark}&iam=http://${at}/identity/token`,
    axiom: `axiom://${at}/v1/datasets/a/ingest?tls=false&header_Authorization=Bearer%20${mark}`,
    elasticsearch: `elasticsearch://${at}/logs?tls=false&header_Authorization=ApiKey%20${mark}`,
    opensearch: `opensearch://${at}/logs?tls=false&header_Authorization=ApiKey%20${mark}`,
    loki: `loki://${at}/loki/api/v1/push?tls=false&header_Authorization=Basic%20${mark}`,
    otlp: `otlp://${at}/v1/logs?tls=false&header_Authorization=Basic%20${mark}`,
    clickhouse: `clickhouse://${at}/?tls=false&table=t&password=${mark}`,
    syslog: `syslog://${at}?transport=tcp`,
    waybill: `waybill://${at}?tls=false&token=${mark}`,
    file: 'file:///logs',
  };
}

function clean(what: string, scheme: string): void {
  for (const secret of [...SPELLINGS, PEM_PART])
    assert.ok(!what.includes(secret), `${scheme}: ${what} holds the secret`);
}

describe('a marker secret', () => {
  // Says in every field of its answer what it was told: a receiver that would give a secret away.
  const echo = createServer((request, answer) => {
    const told = JSON.stringify([request.url, request.headers, MARK, TOKEN, PEM_PART]);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const status = statuses[at % statuses.length] ?? 500;
      answer.writeHead(status, { 'x-clickhouse-exception-code': '27' });
      answer.end(
        `{"message":${JSON.stringify(told)},"code":6,"errors":true,"items":[],"__type":"Odd"}`,
      );
    });
  });
  const statuses = [200, 400, 401, 403, 413, 500];
  let at = 0;
  const dialler = testDialler();
  before(() => new Promise<void>((done) => void echo.listen(0, '127.0.0.1', done)));
  after(() => {
    dialler.close();
    echo.closeAllConnections();
    echo.close();
  });
  const all = (): [string, string][] => Object.entries(confs((echo.address() as AddressInfo).port));

  test('every scheme is tried', () => {
    const schemes = describeDestinations().flatMap(({ schemes: each }) => each);
    assert.deepEqual(Object.keys(confs(1)).toSorted(compare), schemes.toSorted(compare));
  });

  test('is in nothing that parsing says, of good confs and of spoilt ones', () => {
    for (const [scheme, conf] of all()) {
      const parsed = parseDestination(conf, { ...policy, fileRoots: ['/logs'] });
      assert.ok(!hasProblems(parsed), `${scheme}: ${JSON.stringify(parsed)}`);
      clean(JSON.stringify(parsed), scheme);
      for (const spoilt of [
        conf,
        `${conf}&colour=red`,
        `${conf}%zz`,
        conf.replace('/', '//'),
        `${conf}&tls=maybe`,
      ]) {
        clean(JSON.stringify(parseDestination(spoilt, policy)), scheme);
        clean(redactDestination(spoilt), scheme);
      }
    }
  });

  test('is in no outcome, whatever the receiver answers', async () => {
    for (const [scheme, conf] of all()) {
      if (scheme === 'file' || scheme === 'r2') continue;
      const sender = await openDestination(conf, testTools({ dialler, stallMs: 300 }));
      for (at = 0; at < statuses.length; at += 1)
        clean(
          JSON.stringify(await sender.send(sampleBatch(500), new AbortController().signal)),
          scheme,
        );
      await sender.close();
    }
  });
});

function compare(a: string, b: string): number {
  return a < b ? -1 : 1;
}
