/** What a forwarder takes besides HTTP on loopback: files that are rotated under it, and a Unix socket. */
import assert from 'node:assert/strict';
import { appendFile, copyFile, rename, truncate, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCustomer, makeJob } from '../support/customer.ts';
import { startForwarder } from '../support/forwarder.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';

test('files are followed over rotation, truncation and SIGKILL, and a socket takes lines: each arrives once', async () => {
  const folder = await temporaryFolder('forward-sources');
  const at = (name: string) => join(folder.path, name);
  const sink = await startReceiver();
  const server = await startServer({
    dataDir: at('server'),
    flags: [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'],
  });
  const token = await makeCustomer(server, 'a1', 'z1');
  await makeJob(server, 'z1', sink.url);
  await writeFile(
    at('forward.yaml'),
    `tail:
  - paths: ['${at('app*.log*')}']
    stream: zones/z1/http_requests
  - paths: ['${at('edge.log')}']
    by: Zone
    dataset: http_requests
listen: { socket: '${at('forward.sock')}' }
`,
  );
  let next = 0;
  const more = (lines: number) =>
    Array.from({ length: lines }, () => `{"n":${next++},"Zone":"z1"}\n`).join('');
  const options = {
    dataDir: at('forward'),
    token,
    receivers: [server.ingestUrl],
    wantedUrl: server.controlUrl,
    flags: ['--config', at('forward.yaml')],
  };
  await writeFile(at('app.log'), more(100));
  let forwarder = await startForwarder(options);
  await eventually('the first lines arrive', () => sink.lines().length === 100);

  await appendFile(at('app.log'), more(10));
  await rename(at('app.log'), at('app.log.1'));
  await appendFile(at('app.log'), more(10));
  await eventually('over a rename', () => sink.lines().length === 120);

  await forwarder.end('SIGKILL');
  await appendFile(at('app.log'), more(10));
  await rename(at('app.log'), at('app.log.2'));
  await appendFile(at('app.log'), `${more(10)}{"n":`);
  await writeFile(at('edge.log'), more(10));
  forwarder = await startForwarder(options);
  await eventually('over a restart', () => sink.lines().length === 150);
  await appendFile(at('app.log'), `${next++}}\n`);
  await eventually('a line in two parts', () => sink.lines().length === 151);

  await appendFile(at('app.log'), more(10));
  await copyFile(at('app.log'), at('app.log.3'));
  await truncate(at('app.log'));
  await appendFile(at('app.log'), more(10));
  await eventually('over copytruncate', () => sink.lines().length === 171);

  const answer = await new Promise<string>((resolve, reject) => {
    const sent = request(
      { socketPath: at('forward.sock'), path: '/v1/ingest/zones/z1/http_requests', method: 'POST' },
      (got) => {
        let text = '';
        got.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        got.on('end', () => resolve(text));
      },
    );
    sent.on('error', reject);
    sent.end(more(5));
  });
  assert.equal((JSON.parse(answer) as { accepted: number }).accepted, 5);
  await eventually('through the socket', () => sink.lines().length >= 176);
  assert.deepEqual(
    sink
      .lines()
      .map((line) => (JSON.parse(line) as { n: number }).n)
      .toSorted((a, b) => a - b),
    Array.from({ length: 176 }, (_, n) => n),
  );
  const { tail } = await forwarder.status();
  assert.equal(tail?.behindBytes, 0);
  assert.equal(tail?.lostBytes, 0);
  assert.equal(await forwarder.end('SIGTERM'), 0);
  await server.end('SIGTERM');
  sink.close();
  await folder.remove();
});
