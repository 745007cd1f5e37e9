import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDialler } from '../../../test/servers/dialler.ts';
import { scriptedRig, testTools } from '../../../test/servers/scripted-rig.ts';
import type { Script } from '../../../test/servers/scripted-http.ts';
import { destinationConformance, sampleBatch } from '../conformance.ts';
import type { Situation } from '../conformance.ts';
import type { Batch, Sender } from '../destination.ts';
import { kinesisDestination } from './index.ts';

const SECRET = 'open/sesame+1234';

const error = (status: number, type: string, headers: Record<string, string> = {}): Script => ({
  do: 'answer',
  status,
  headers,
  body: JSON.stringify({ __type: type, message: `inner words ${SECRET}` }),
});

const SCRIPTS: Partial<Record<Situation, Script>> = {
  'refuses the credentials': error(400, 'UnrecognizedClientException'),
  'finds the batch too large': error(400, 'ValidationException'),
  'finds the content bad': error(400, 'InvalidArgumentException'),
  'asks to wait': error(400, 'ProvisionedThroughputExceededException', { 'retry-after': '7' }),
  'is in trouble': error(500, 'com.amazonaws.kinesis#InternalFailure'),
  redirects: { do: 'answer', status: 307, headers: { location: 'http://169.254.169.254/' } },
  'cuts before the body': { do: 'cut', when: 'before the body' },
  'cuts in the body': { do: 'cut', when: 'in the body' },
  'takes the batch and its answer is lost': { do: 'cut', when: 'after the body' },
  'answers nonsense': { do: 'answer nonsense' },
  'answers endlessly': { do: 'answer with an endless body', status: 200 },
  'answers by half': { do: 'answer by half', status: 200 },
  'says nothing': { do: 'say nothing' },
};

const ACCEPT: Script = {
  do: 'answer',
  status: 200,
  body: '{"ShardId":"shardId-000000000000","SequenceNumber":"495"}',
};

const claims = destinationConformance({
  name: 'kinesis',
  repeats: 'appends',
  neverSaid: [SECRET, encodeURIComponent(SECRET), 'inner words', '127.0.0.1', '169.254'],
  expected: {
    accepts: { kind: 'accepted', reason: /shardId-000000000000 495/ },
    'is slow': { notHere: 'the suite of HTTP has it' },
    'refuses the credentials': { kind: 'retry', reason: /access key was not accepted/ },
    'finds the batch too large': { kind: 'split', reason: /too large/ },
    'finds the content bad': { kind: 'reject', reason: /InvalidArgument/ },
    'asks to wait': { kind: 'retry', reason: /takes no more/, afterMs: 7_000 },
    'is in trouble': { kind: 'retry', reason: /500 InternalFailure/ },
    redirects: { kind: 'retry', reason: /redirect/ },
    'cuts before the body': { kind: 'retry', reason: /cut|closed/ },
    'cuts in the body': { kind: 'retry', reason: /cut|closed/ },
    'takes the batch and its answer is lost': { kind: 'retry', reason: /cut|closed/ },
    'answers nonsense': { kind: 'retry', reason: /not valid HTTP/ },
    // Without the record's number there is no receipt.
    'answers endlessly': { kind: 'retry', reason: /not an answer of Kinesis/ },
    'answers by half': { kind: 'retry', reason: /not an answer of Kinesis/ },
    'says nothing': { kind: 'retry', reason: /nothing moved/ },
    'takes nothing': { notHere: 'a record is smaller than the buffers on the way' },
    'has a certificate that expired': { kind: 'retry', reason: /TLS.*expired/ },
    'has a certificate of nobody known': { kind: 'retry', reason: /TLS.*self-signed/ },
    'has a name that does not exist': { kind: 'retry', reason: /DNS.*not found/ },
    'stands at an inner address': { kind: 'retry', reason: /not allowed/ },
    'has no space': { notHere: 'a stream has no quota that could be full' },
  },
  largestBytes: 900_000,
  rig: (situation) =>
    scriptedRig(
      {
        kind: kinesisDestination,
        secure: true,
        scripts: SCRIPTS,
        accept: ACCEPT,
        keepsByPath: false,
        unwrap: ({ path, body }) => {
          const { Data } = JSON.parse(body.toString()) as { Data: string };
          return { path, body: Buffer.from(Data, 'base64') };
        },
        conf: (origin) =>
          `kinesis://logs?region=us-east-1&endpoint=${origin}&access-key-id=K&secret-access-key=${SECRET}`,
      },
      situation,
    ),
});
for (const { name, check } of claims) test(name, check);

test('kinesis: a batch that is larger than a record is split without asking', async () => {
  const dialler = testDialler();
  const conf = `kinesis://logs?region=us-east-1&endpoint=http://receiver.test:1&access-key-id=K&secret-access-key=S`;
  const sender: Sender = await kinesisDestination.open(conf, testTools({ dialler }));
  const batch: Batch = sampleBatch(2_000_000);
  assert.equal((await sender.send(batch, new AbortController().signal)).kind, 'split');
  dialler.close();
});
