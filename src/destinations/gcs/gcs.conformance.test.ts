import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { scriptedRig } from '../../../test/servers/scripted-rig.ts';
import type { Script } from '../../../test/servers/scripted-http.ts';
import { destinationConformance } from '../conformance.ts';
import type { Situation } from '../conformance.ts';
import { gcsDestination } from './index.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

function credentials(tokenUrl: string): string {
  const file = {
    type: 'service_account',
    client_email: 'logs@project.iam.gserviceaccount.com',
    private_key: PEM,
    private_key_id: 'k1',
    token_uri: tokenUrl,
  };
  return encodeURIComponent(`base64:${Buffer.from(JSON.stringify(file)).toString('base64')}`);
}

const SCRIPTS: Partial<Record<Situation, Script>> = {
  'is slow': { do: 'answer', status: 200, afterMs: 60 },
  'refuses the credentials': { do: 'answer', status: 403, body: 'inner words' },
  'finds the batch too large': { do: 'answer early', status: 413 },
  'finds the content bad': { do: 'answer', status: 400, body: 'inner words' },
  'asks to wait': { do: 'answer', status: 429, headers: { 'retry-after': '7' } },
  'is in trouble': { do: 'answer', status: 503, body: 'inner words' },
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

/** RFC 2387 with two parts: the metadata's name, and the object. */
function unwrap({ body }: { readonly body: Buffer }) {
  const metadata = body.indexOf('{');
  const { name } = JSON.parse(
    body.subarray(metadata, body.indexOf('\r\n', metadata)).toString(),
  ) as { name: string };
  const first = body.indexOf('\r\n\r\n', metadata) + 4;
  return { path: name, body: body.subarray(first, body.lastIndexOf('\r\n--')) };
}

const claims = destinationConformance({
  name: 'gs',
  repeats: 'replaces',
  neverSaid: [PEM.slice(40, 80), 'inner words', '127.0.0.1', '169.254'],
  expected: {
    accepts: { kind: 'accepted' },
    'is slow': { kind: 'accepted' },
    'refuses the credentials': { kind: 'retry', reason: /storage.objects.create/ },
    'finds the batch too large': { kind: 'split', reason: /413/ },
    'finds the content bad': { kind: 'reject', reason: /400/ },
    'asks to wait': { kind: 'retry', reason: /429/, afterMs: 7_000 },
    'is in trouble': { kind: 'retry', reason: /503/ },
    redirects: { kind: 'retry', reason: /redirect/ },
    'cuts before the body': { kind: 'retry', reason: /cut|closed/ },
    'cuts in the body': { kind: 'retry', reason: /cut|closed/ },
    'takes the batch and its answer is lost': { kind: 'retry', reason: /cut|closed/ },
    'answers nonsense': { kind: 'retry', reason: /not valid HTTP/ },
    'answers endlessly': { kind: 'accepted' },
    'answers by half': { kind: 'accepted' },
    'says nothing': { kind: 'retry', reason: /nothing moved/ },
    'takes nothing': { kind: 'retry', reason: /nothing moved/ },
    'has a certificate that expired': { kind: 'retry', reason: /TLS.*expired/ },
    'has a certificate of nobody known': { kind: 'retry', reason: /TLS.*self-signed/ },
    'has a name that does not exist': { kind: 'retry', reason: /DNS.*not found/ },
    'stands at an inner address': { kind: 'retry', reason: /not allowed/ },
    'has no space': { notHere: 'a bucket has no quota that could be full' },
  },
  rig: (situation) =>
    scriptedRig(
      {
        kind: gcsDestination,
        secure: true,
        scripts: SCRIPTS,
        keepsByPath: true,
        unwrap,
        beside: {
          '/token': () => ({ status: 200, body: '{"access_token":"t","expires_in":3600}' }),
        },
        conf: (origin) =>
          `gs://logs/a/{DATE}?endpoint=${origin}&credentials=${credentials(`${origin}/token`)}`,
      },
      situation,
    ),
});
for (const { name, check } of claims) test(name, check);
