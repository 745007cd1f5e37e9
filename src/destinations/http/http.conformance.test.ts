import { test } from 'node:test';
import { scriptedRig } from '../../../test/servers/scripted-rig.ts';
import type { Script } from '../../../test/servers/scripted-http.ts';
import { destinationConformance } from '../conformance.ts';
import type { Situation } from '../conformance.ts';
import { httpDestination } from './index.ts';

const SECRET = 'open-sesame-1234';

const SCRIPTS: Partial<Record<Situation, Script>> = {
  'is slow': { do: 'answer', status: 202, afterMs: 60 },
  'refuses the credentials': { do: 'answer', status: 401, body: `bad ${SECRET}` },
  'finds the batch too large': { do: 'answer early', status: 413 },
  'finds the content bad': { do: 'answer', status: 400, body: 'inner words' },
  'asks to wait': { do: 'answer', status: 429, headers: { 'retry-after': '7' } },
  'is in trouble': { do: 'answer', status: 502, body: 'inner words at 10.1.2.3' },
  redirects: { do: 'answer', status: 307, headers: { location: 'http://169.254.169.254/' } },
  'cuts before the body': { do: 'cut', when: 'before the body' },
  'cuts in the body': { do: 'cut', when: 'in the body' },
  'takes the batch and its answer is lost': { do: 'cut', when: 'after the body' },
  'answers nonsense': { do: 'answer nonsense' },
  'answers endlessly': { do: 'answer with an endless body', status: 200 },
  'answers by half': { do: 'answer by half', status: 200 },
  'says nothing': { do: 'say nothing' },
  'takes nothing': { do: 'read nothing' },
};

for (const secure of [true, false]) {
  const scheme = secure ? 'https' : 'http';
  const tls = { notHere: 'there is no TLS' };
  const claims = destinationConformance({
    name: scheme,
    repeats: 'appends',
    neverSaid: [SECRET, 'inner words', '10.1.2.3', '127.0.0.1', '169.254'],
    expected: {
      accepts: { kind: 'accepted' },
      'is slow': { kind: 'accepted' },
      'refuses the credentials': { kind: 'retry', reason: /401/ },
      'finds the batch too large': { kind: 'split', reason: /413/ },
      'finds the content bad': { kind: 'reject', reason: /400/ },
      'asks to wait': { kind: 'retry', reason: /429/, afterMs: 7_000 },
      'is in trouble': { kind: 'retry', reason: /502/ },
      redirects: { kind: 'retry', reason: /redirect/ },
      'cuts before the body': { kind: 'retry', reason: /cut|closed/ },
      'cuts in the body': { kind: 'retry', reason: /cut|closed/ },
      'takes the batch and its answer is lost': { kind: 'retry', reason: /cut|closed/ },
      'answers nonsense': { kind: 'retry', reason: /not valid HTTP/ },
      'answers endlessly': { kind: 'accepted' },
      'answers by half': { kind: 'accepted' },
      'says nothing': { kind: 'retry', reason: /nothing moved/ },
      'takes nothing': { kind: 'retry', reason: /nothing moved/ },
      'has a certificate that expired': secure ? { kind: 'retry', reason: /TLS.*expired/ } : tls,
      'has a certificate of nobody known': secure
        ? { kind: 'retry', reason: /TLS.*self-signed/ }
        : tls,
      'has a name that does not exist': { kind: 'retry', reason: /DNS.*not found/ },
      'stands at an inner address': { kind: 'retry', reason: /not allowed/ },
      'has no space': { notHere: 'HTTP has a status for it, which is trouble like another' },
    },
    rig: (situation) =>
      scriptedRig(
        {
          kind: httpDestination,
          secure,
          scripts: SCRIPTS,
          keepsByPath: false,
          conf: (origin) => `${origin}/logs?header_Authorization=Bearer%20${SECRET}&source=a`,
        },
        situation,
      ),
  });
  for (const { name, check } of claims) test(name, check);
}
