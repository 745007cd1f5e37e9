import { test } from 'node:test';
import { scriptedRig } from '../../../test/servers/scripted-rig.ts';
import type { Script } from '../../../test/servers/scripted-http.ts';
import { destinationConformance } from '../conformance.ts';
import type { Situation } from '../conformance.ts';
import { s3Destination } from './index.ts';

const SECRET = 'open/sesame+1234';

const error = (status: number, code: string, headers: Record<string, string> = {}): Script => ({
  do: 'answer',
  status,
  headers: { 'content-type': 'application/xml', ...headers },
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>inner words ${SECRET}</Message></Error>`,
});

const SCRIPTS: Partial<Record<Situation, Script>> = {
  accepts: { do: 'answer', status: 200, headers: { etag: '"0123"' } },
  'is slow': { do: 'answer', status: 200, afterMs: 60 },
  'refuses the credentials': error(403, 'SignatureDoesNotMatch'),
  'finds the batch too large': error(400, 'EntityTooLarge'),
  'finds the content bad': error(400, 'InvalidArgument'),
  'asks to wait': error(503, 'SlowDown', { 'retry-after': '7' }),
  'is in trouble': error(500, 'InternalError'),
  redirects: error(301, 'PermanentRedirect', { location: 'http://169.254.169.254/' }),
  'cuts before the body': { do: 'cut', when: 'before the body' },
  'cuts in the body': { do: 'cut', when: 'in the body' },
  'takes the batch and its answer is lost': { do: 'cut', when: 'after the body' },
  'answers nonsense': { do: 'answer nonsense' },
  'answers endlessly': { do: 'answer with an endless body', status: 500 },
  'answers by half': { do: 'answer by half', status: 403 },
  'says nothing': { do: 'say nothing' },
  'takes nothing': { do: 'read nothing' },
  'has no space': error(507, 'InsufficientStorage'),
};

const claims = destinationConformance({
  name: 's3',
  repeats: 'replaces',
  neverSaid: [SECRET, encodeURIComponent(SECRET), 'inner words', '127.0.0.1', '169.254'],
  expected: {
    accepts: { kind: 'accepted' },
    'is slow': { kind: 'accepted' },
    'refuses the credentials': { kind: 'retry', reason: /secret access key is wrong/ },
    'finds the batch too large': { kind: 'split', reason: /EntityTooLarge/ },
    'finds the content bad': { kind: 'reject', reason: /InvalidArgument/ },
    'asks to wait': { kind: 'retry', reason: /SlowDown/, afterMs: 7_000 },
    'is in trouble': { kind: 'retry', reason: /500 InternalError/ },
    redirects: { kind: 'retry', reason: /another region/ },
    'cuts before the body': { kind: 'retry', reason: /cut|closed/ },
    'cuts in the body': { kind: 'retry', reason: /cut|closed/ },
    'takes the batch and its answer is lost': { kind: 'retry', reason: /cut|closed/ },
    'answers nonsense': { kind: 'retry', reason: /not valid HTTP/ },
    'answers endlessly': { kind: 'retry', reason: /500/ },
    'answers by half': { kind: 'retry', reason: /403/ },
    'says nothing': { kind: 'retry', reason: /nothing moved/ },
    'takes nothing': { kind: 'retry', reason: /nothing moved/ },
    'has a certificate that expired': { kind: 'retry', reason: /TLS.*expired/ },
    'has a certificate of nobody known': { kind: 'retry', reason: /TLS.*self-signed/ },
    'has a name that does not exist': { kind: 'retry', reason: /DNS.*not found/ },
    'stands at an inner address': { kind: 'retry', reason: /not allowed/ },
    'has no space': { kind: 'retry', reason: /no space/ },
  },
  rig: (situation) =>
    scriptedRig(
      {
        kind: s3Destination,
        secure: true,
        scripts: SCRIPTS,
        keepsByPath: true,
        conf: (origin) =>
          `s3://logs/a/{DATE}?region=us-east-1&endpoint=${origin}&access-key-id=K&secret-access-key=${SECRET}`,
      },
      situation,
    ),
});
for (const { name, check } of claims) test(name, check);
