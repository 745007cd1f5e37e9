/** The conformance suite's subject for a destination that is one POST a batch: what they have in common. */
import { sampleLines } from '../../src/destinations/conformance.ts';
import type { Expected, Situation, Subject } from '../../src/destinations/conformance.ts';
import type { Batch, DestinationKind } from '../../src/destinations/destination.ts';
import { framedBatch } from './framed-batch.ts';
import type { Beside, Script } from './scripted-http.ts';
import { scriptedRig } from './scripted-rig.ts';
import { judgeOf, TOKEN_SERVICE, VENDOR_CONFS, VENDOR_SECRET } from './vendor-stand-ins.ts';

export interface WebSubject {
  readonly kind: DestinationKind;
  /** @param place `name:port` of the receiver */
  conf(place: string): string;
  readonly secrets: readonly string[];
  readonly accept?: Script;
  /** Where the receiver's own answers differ from plain HTTP's. */
  readonly scripts?: Partial<Record<Situation, Script>>;
  readonly expected?: Partial<Record<Situation, Expected>>;
  readonly beside?: Beside;
  /** What the job's owner has got wrong in a situation. */
  readonly spoil?: Partial<Record<Situation, (conf: string) => string>>;
  /** Lines stand in a batch as delivery frames them, as many and as large as the receiver takes; absent: any bytes do. */
  readonly isStrict?: true;
}

const INNER = 'inner words at 10.1.2.3';

const SCRIPTS: Partial<Record<Situation, Script>> = {
  'is slow': { do: 'answer', status: 200, afterMs: 60 },
  'refuses the credentials': { do: 'answer', status: 401, body: INNER },
  'finds the batch too large': { do: 'answer early', status: 413 },
  'finds the content bad': { do: 'answer', status: 400, body: INNER },
  'asks to wait': { do: 'answer', status: 429, headers: { 'retry-after': '7' } },
  'is in trouble': { do: 'answer', status: 502, body: INNER },
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

const EXPECTED: Record<Situation, Expected> = {
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
  'has a certificate that expired': { kind: 'retry', reason: /TLS.*expired/ },
  'has a certificate of nobody known': { kind: 'retry', reason: /TLS.*self-signed/ },
  'has a name that does not exist': { kind: 'retry', reason: /DNS.*not found/ },
  'stands at an inner address': { kind: 'retry', reason: /not allowed/ },
  'has no space': { notHere: 'HTTP has a status for it, which is trouble like another' },
};

export function webSubject(subject: WebSubject): Subject {
  const { kind } = subject;
  const accept = subject.accept;
  const isPatient = accept?.do === 'answer' || accept?.do === 'judge';
  const slow = isPatient ? { 'is slow': { ...accept, afterMs: 60 } } : {};
  const scripts = { ...SCRIPTS, ...slow, ...subject.scripts };
  return {
    name: kind.describe.schemes[0] ?? '',
    // The stand-in for the network keeps every upload; what a receiver makes of a repeat is its own tests' matter.
    repeats: 'appends',
    neverSaid: [...subject.secrets, 'inner words', '10.1.2.3', '127.0.0.1', '169.254'],
    expected: { ...EXPECTED, ...subject.expected },
    ...(subject.isStrict ? framedBatches(subject) : {}),
    rig: (situation) =>
      scriptedRig(
        {
          kind,
          secure: true,
          scripts,
          keepsByPath: false,
          conf: (origin) => subject.conf(origin.replace(/^https:\/\//, '')),
          ...(accept ? { accept } : {}),
          ...(subject.beside ? { beside: subject.beside } : {}),
          ...(subject.spoil ? { spoil: subject.spoil } : {}),
        },
        situation,
      ),
  };
}

/** Batches as delivery makes them; the largest is the largest that the kind says it takes. */
function framedBatches(subject: WebSubject): Pick<Subject, 'batch' | 'largestBytes'> {
  const { batchBytes = 3_000_000, batchLines = 10_000 } = subject.kind.describe;
  const place = subject.conf('receiver.test:1');
  const made = new Map<number, Batch>();
  return {
    largestBytes: batchBytes,
    batch(bytes) {
      // Base64 of the noise and a field's name: what `sampleLines` makes of a byte.
      const noise = Math.floor(bytes / 1.4);
      const lineBytes = Math.max(400, Math.ceil(bytes / batchLines));
      const batch = made.get(bytes) ?? framedBatch(place, sampleLines(noise, lineBytes));
      made.set(bytes, batch);
      return batch;
    },
  };
}

/** The suite with a vendor's strict stand-in: it says what is accepted, and which credentials are. */
export function vendorSubject(
  kind: DestinationKind,
  differs: Pick<WebSubject, 'scripts' | 'expected'> = {},
): WebSubject {
  const name = kind.describe.schemes[0] ?? '';
  const confOf = VENDOR_CONFS[name];
  if (!confOf) throw new Error(`no stand-in for ${name}`);
  const judge: Script = { do: 'judge', verdict: judgeOf(name) };
  return {
    kind,
    conf: (place) => confOf(place),
    secrets: [VENDOR_SECRET, WRONG],
    accept: judge,
    isStrict: true,
    beside: TOKEN_SERVICE,
    spoil: { 'refuses the credentials': (conf) => conf.replaceAll(VENDOR_SECRET, WRONG) },
    scripts: { 'refuses the credentials': judge, ...differs.scripts },
    ...(differs.expected ? { expected: differs.expected } : {}),
  };
}

const WRONG = 'other-secret-22';
