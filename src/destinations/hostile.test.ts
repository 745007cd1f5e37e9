/** Destinations that lead inwards: every kind, every place that a conf can name, and names that change their address. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { testDialler } from '../../test/servers/dialler.ts';
import { markedConfs } from '../../test/servers/marked-confs.ts';
import { startScriptedReceiver } from '../../test/servers/scripted-http.ts';
import { testTools } from '../../test/servers/scripted-rig.ts';
import { systemClock } from '../lib/clock.ts';
import { silent } from '../lib/diagnostics.ts';
import { parseOpenedRange } from '../lib/net/addresses.ts';
import type { OpenedRange } from '../lib/net/addresses.ts';
import type { GuardedDialler } from '../lib/net/dialler.ts';
import { createGuardedDialler } from '../lib/net/guarded-dialler.ts';
import { cAresResolver } from '../lib/net/resolver.ts';
import { sampleBatch } from './conformance.ts';
import type { DestinationTools } from './destination.ts';
import { openDestination } from './index.ts';

async function said(
  conf: string,
  dialler: GuardedDialler,
  tools: Partial<DestinationTools> = {},
): Promise<string> {
  const sender = await openDestination(conf, testTools({ ...tools, dialler, stallMs: 1_000 }));
  try {
    return JSON.stringify(await sender.send(sampleBatch(500), new AbortController().signal));
  } finally {
    await sender.close();
  }
}

/** What has no host of its own: a folder, and R2, whose host is made of the account. */
const WITHOUT = ['file', 'r2'];
const kinds = (at: string): [string, string][] =>
  Object.entries(markedConfs(at)).filter(([scheme]) => !WITHOUT.includes(scheme));

describe('every kind of destination', () => {
  const shut = testDialler({ open: [] });
  after(() => shut.close());

  for (const at of [
    '10.1.2.3:8088',
    '169.254.169.254:80',
    '[::1]:8088',
    '[::ffff:192.168.1.1]:8088',
    '[64:ff9b::a9fe:a9fe]:80',
    'localhost:8088',
  ]) {
    test(`is refused at ${at}, and nothing of the address is told`, async () => {
      for (const [scheme, conf] of kinds(at)) {
        const outcome = await said(conf, shut);
        assert.match(outcome, /"retry".*not allowed as a destination here/, scheme);
      }
    });
  }

  test('is refused at a port that the operator does not list', async () => {
    const listed = testDialler({ ports: [443] });
    for (const [scheme, conf] of kinds('127.0.0.1:25'))
      assert.match(await said(conf, listed), /"retry".*port 25 is not allowed/, scheme);
    listed.close();
  });
});

describe('what a conf names besides its host', () => {
  const dialler = testDialler();
  after(() => dialler.close());
  const inner = 'http://10.1.2.3';
  const role = 'sts-assume-role-arn=arn:aws:iam::123456789012:role/logs';
  const tools = {
    externalId: 'waybill-a1',
    roleKeys: { accessKeyId: 'OWN', secretAccessKey: 'own' },
  };

  test('is dialled by the same rules: token endpoints of Google, IBM and Amazon', async () => {
    const receiver = await startScriptedReceiver();
    const at = `127.0.0.1:${receiver.port}`;
    const confs = {
      gs: (markedConfs(at)['gs'] ?? '').replace(
        /credentials=[^&]+/,
        `credentials=${keyFile(`${inner}/token`)}`,
      ),
      ibmcl: `ibmcl://${at}/logs/v1/singles?tls=false&ibm_api_key=k&iam=${inner}/identity/token`,
      s3: `s3://logs/a?region=us-east-1&endpoint=http://${at}&sts-endpoint=${inner}&${role}`,
    };
    for (const [scheme, conf] of Object.entries(confs))
      assert.match(
        await said(conf, dialler, tools),
        /"retry".*not allowed as a destination/,
        scheme,
      );
    assert.equal(receiver.received.length, 0, 'no batch went out without a token');
    await receiver.close();
  });

  function keyFile(tokenUrl: string): string {
    const file = /credentials=base64%3A([^&]+)/.exec(markedConfs('h')['gs'] ?? '')?.[1] ?? '';
    const key = JSON.parse(Buffer.from(decodeURIComponent(file), 'base64').toString()) as object;
    const changed = JSON.stringify({ ...key, token_uri: tokenUrl });
    return encodeURIComponent(`base64:${Buffer.from(changed).toString('base64')}`);
  }
});

test('a real name server that gives another address each time leads nowhere but to what was vetted', async () => {
  const receiver = await startScriptedReceiver();
  const names = await nameServer(['127.0.0.1', '10.1.2.3', '127.0.0.1']);
  const dialler = createGuardedDialler({
    resolver: cAresResolver({ timeoutMs: 2_000, tries: 1, servers: [`127.0.0.1:${names.port}`] }),
    allow: [parseOpenedRange('127.0.0.0/8') as OpenedRange],
    clock: systemClock,
    diagnostics: silent,
    connectMs: 5_000,
    idleMs: 1,
    idleSockets: 0,
    socketsPerHost: 8,
  });
  const conf = `http://rebind.example:${receiver.port}/`;
  assert.match(await said(conf, dialler), /"accepted"/);
  assert.match(await said(conf, dialler), /"retry".*not found, or its address is not allowed/);
  assert.match(await said(conf, dialler), /"accepted"/);
  assert.equal(receiver.received.length, 2);
  assert.equal(names.asked(), 3, 'one question for one connection, and none in between');
  dialler.close();
  names.close();
  await receiver.close();
});

/** Answers each question for an IPv4 address with the next one, and none for IPv6 (RFC 1035). */
async function nameServer(addresses: readonly string[]) {
  const socket = createSocket('udp4');
  let asked = 0;
  socket.on('message', (question, from) => {
    const type = question.readUInt16BE(question.indexOf(0, 12) + 1);
    const end = question.indexOf(0, 12) + 5;
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(type === 1 ? 1 : 0, 6);
    head.writeUInt32BE(0, 8);
    const address = type === 1 ? addresses[Math.min(asked++, addresses.length - 1)] : undefined;
    const bytes = (address ?? '').split('.').map(Number);
    const row = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...bytes];
    const answer = address === undefined ? [] : row;
    socket.send(Buffer.concat([head, question.subarray(12, end), Buffer.from(answer)]), from.port);
  });
  await new Promise<void>((done) => void socket.bind(0, '127.0.0.1', done));
  return {
    port: (socket.address() as AddressInfo).port,
    asked: () => asked,
    close: () => void socket.close(),
  };
}
