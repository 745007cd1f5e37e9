import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { EXPIRED, VALID } from '../../../test/servers/certificates.ts';
import { testDialler } from '../../../test/servers/dialler.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import { startSyslogReceiver } from '../../../test/servers/syslog-receiver.ts';
import type { SyslogReceiver, SyslogScript } from '../../../test/servers/syslog-receiver.ts';
import { destinationConformance, sampleBatch } from '../conformance.ts';
import type { Expected, Rig, Situation } from '../conformance.ts';
import { frames } from './frames.ts';
import { syslogDestination } from './index.ts';

const SCRIPTS: Partial<Record<Situation, SyslogScript>> = {
  'is slow': 'reads slowly',
  'cuts before the body': 'cuts at once',
  'cuts in the body': 'cuts in the middle',
  'takes the batch and its answer is lost': 'cuts at the end',
  'says nothing': 'never ends',
  'takes nothing': 'reads nothing',
};

const noAnswers: Expected = { notHere: 'syslog has no answers' };

const claims = (secure: boolean) => {
  const tls: Expected = { notHere: 'there is no TLS' };
  return destinationConformance({
    name: secure ? 'syslog over TLS' : 'syslog over TCP',
    repeats: 'appends',
    neverSaid: ['127.0.0.1'],
    expected: {
      accepts: { kind: 'accepted' },
      'is slow': { kind: 'accepted' },
      'refuses the credentials': noAnswers,
      'finds the batch too large': noAnswers,
      'finds the content bad': noAnswers,
      'asks to wait': noAnswers,
      'is in trouble': noAnswers,
      redirects: noAnswers,
      'cuts before the body': { kind: 'retry', reason: /cut|closed/ },
      'cuts in the body': { kind: 'retry', reason: /cut|closed/ },
      'takes the batch and its answer is lost': { kind: 'retry', reason: /cut|closed/ },
      'answers nonsense': noAnswers,
      'answers endlessly': noAnswers,
      'answers by half': noAnswers,
      'says nothing': { kind: 'retry', reason: /did not end the connection|nothing moved/ },
      'takes nothing': { kind: 'retry', reason: /nothing moved/ },
      'has a certificate that expired': secure ? { kind: 'retry', reason: /TLS.*expired/ } : tls,
      'has a certificate of nobody known': secure
        ? { kind: 'retry', reason: /TLS.*self-signed/ }
        : tls,
      'has a name that does not exist': { kind: 'retry', reason: /DNS.*not found/ },
      'stands at an inner address': { kind: 'retry', reason: /not allowed/ },
      'has no space': noAnswers,
    },
    rig: (situation) => rig(secure, situation),
  });
};

async function rig(secure: boolean, situation: Situation): Promise<Rig> {
  const expired = situation === 'has a certificate that expired';
  const unknown = situation === 'has a certificate of nobody known';
  const nowhere = situation === 'has a name that does not exist';
  const inner = situation === 'stands at an inner address';
  const certificate = expired ? EXPIRED : VALID;
  const receivers: SyslogReceiver[] = [await startSyslogReceiver(secure ? certificate : undefined)];
  const script = SCRIPTS[situation];
  if (script) receivers[0]?.script(script);
  const wary = testDialler({
    ca: unknown ? [] : [VALID.cert, EXPIRED.cert],
    ...(inner ? { open: [] } : {}),
  });
  const trusting = testDialler({ ca: [VALID.cert] });
  const quiet = script === 'never ends' || script === 'reads nothing';
  const open = (host: string, port: number, dialler = trusting, stallMs = 10_000) =>
    syslogDestination.open(
      `syslog://${host}:${port}?transport=${secure ? 'tls' : 'tcp'}`,
      testTools({ dialler, stallMs }),
    );
  const host = nowhere ? 'nowhere.example' : 'receiver.test';
  let sender = await open(host, receivers[0]?.port ?? 0, wary, quiet ? 800 : undefined);
  return {
    sender: {
      send: (batch, signal) => sender.send(batch, signal),
      close: () => sender.close(),
    },
    held: () =>
      Promise.resolve(
        receivers.flatMap(({ batches }) =>
          batches.map(({ lines }) =>
            gzipSync(lines.map((line) => `${line}\n`).join(''), { level: 1 }),
          ),
        ),
      ),
    async recover() {
      const mended = await startSyslogReceiver(secure ? VALID : undefined);
      receivers.push(mended);
      sender = await open('receiver.test', mended.port);
    },
    async close() {
      wary.close();
      trusting.close();
      await Promise.all(receivers.map((each) => each.close()));
    },
  };
}

describe('syslog', { concurrency: 4 }, () => {
  for (const secure of [true, false])
    for (const { name, check } of claims(secure)) test(name, check);

  test('a message is RFC 5424 with its length in bytes before it', () => {
    const batch = sampleBatch();
    const header = { priority: 134, hostname: 'cdn', app: 'logs' };
    const text = frames(Buffer.from('{"a":"é"}\n{"b":1}'), batch, header).toString();
    const head = `<134>1 2026-01-02T03:04:05.000Z cdn logs ${batch.id} - - `;
    assert.equal(text, `${head.length + 10} ${head}{"a":"é"}${head.length + 7} ${head}{"b":1}`);
  });
});
