import { test } from 'node:test';
import { scriptedRig } from '../../../test/servers/scripted-rig.ts';
import type { Script } from '../../../test/servers/scripted-http.ts';
import { destinationConformance } from '../conformance.ts';
import type { Situation } from '../conformance.ts';
import { azureDestination } from './index.ts';

const SECRET = 'open/sesame+1234=';

const error = (status: number, code: string, headers: Record<string, string> = {}): Script => ({
  do: 'answer',
  status,
  headers: { 'x-ms-error-code': code, ...headers },
  body: `<Error><Code>${code}</Code><Message>inner words ${SECRET}</Message></Error>`,
});

const SCRIPTS: Partial<Record<Situation, Script>> = {
  'is slow': { do: 'answer', status: 201, afterMs: 60 },
  'refuses the credentials': error(403, 'AuthenticationFailed'),
  'finds the batch too large': error(413, 'RequestBodyTooLarge'),
  'finds the content bad': error(400, 'InvalidInput'),
  'asks to wait': error(503, 'ServerBusy', { 'retry-after': '7' }),
  'is in trouble': error(500, 'InternalError'),
  redirects: { do: 'answer', status: 307, headers: { location: 'http://169.254.169.254/' } },
  'cuts before the body': { do: 'cut', when: 'before the body' },
  'cuts in the body': { do: 'cut', when: 'in the body' },
  'takes the batch and its answer is lost': { do: 'cut', when: 'after the body' },
  'answers nonsense': { do: 'answer nonsense' },
  'answers endlessly': { do: 'answer with an endless body', status: 500 },
  'answers by half': { do: 'answer by half', status: 403 },
  'says nothing': { do: 'say nothing' },
  'takes nothing': { do: 'read nothing' },
};

const claims = destinationConformance({
  name: 'azure',
  repeats: 'replaces',
  neverSaid: [SECRET, encodeURIComponent(SECRET), 'inner words', '127.0.0.1', '169.254'],
  expected: {
    accepts: { kind: 'accepted' },
    'is slow': { kind: 'accepted' },
    'refuses the credentials': { kind: 'retry', reason: /AuthenticationFailed: .*signature/ },
    'finds the batch too large': { kind: 'split', reason: /RequestBodyTooLarge/ },
    'finds the content bad': { kind: 'reject', reason: /InvalidInput/ },
    'asks to wait': { kind: 'retry', reason: /slow down/, afterMs: 7_000 },
    'is in trouble': { kind: 'retry', reason: /500 InternalError/ },
    redirects: { kind: 'retry', reason: /redirect/ },
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
    'has no space': { notHere: 'an account has no quota that could be full' },
  },
  rig: (situation) =>
    scriptedRig(
      {
        kind: azureDestination,
        secure: true,
        scripts: SCRIPTS,
        accept: { do: 'answer', status: 201 },
        keepsByPath: true,
        conf: (origin) =>
          `azure://${origin.slice(8)}/logs/a/{DATE}?sv=2022-11-02&ss=b&srt=o&sp=c&se=2125-01-01T00:00:00Z&sig=${encodeURIComponent(SECRET)}`,
      },
      situation,
    ),
});
for (const { name, check } of claims) test(name, check);
