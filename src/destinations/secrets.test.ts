/** A marker secret is planted in every destination; nothing that leaves an island may hold it, in any spelling. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { testDialler } from '../../test/servers/dialler.ts';
import { MARK, markedConfs, PEM_PART, secretIn, TOKEN } from '../../test/servers/marked-confs.ts';
import { testTools } from '../../test/servers/scripted-rig.ts';
import { sampleBatch } from './conformance.ts';
import {
  describeDestinations,
  hasProblems,
  openDestination,
  parseDestination,
  redactDestination,
} from './index.ts';

const policy = { allowHttp: true, fileRoots: [] };

function clean(what: string, scheme: string): void {
  assert.equal(secretIn(what), undefined, `${scheme}: ${what} holds the secret`);
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
  const all = (): [string, string][] =>
    Object.entries(markedConfs(`127.0.0.1:${(echo.address() as AddressInfo).port}`));

  test('every scheme is tried', () => {
    const schemes = describeDestinations().flatMap(({ schemes: each }) => each);
    assert.deepEqual(
      Object.keys(markedConfs('127.0.0.1:1')).toSorted(compare),
      schemes.toSorted(compare),
    );
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
