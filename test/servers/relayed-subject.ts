/**
 * The conformance suite against a server that we did not write: a relay before it misbehaves to order, and what it took is read
 * back from it. What only the server could say of its own trouble (busy, full, too large) is scripted in the island's own suite.
 */
import type { Expected, Rig, Situation, Subject } from '../../src/destinations/conformance.ts';
import { sampleBatch, sampleLines } from '../../src/destinations/conformance.ts';
import type {
  Batch,
  DestinationKind,
  DestinationTools,
} from '../../src/destinations/destination.ts';
import { EXPIRED, VALID } from './certificates.ts';
import { testDialler } from './dialler.ts';
import { framedBatch } from './framed-batch.ts';
import type { Mood, Relay } from './relay.ts';
import { testTools } from './scripted-rig.ts';

export interface RelayedSubject {
  readonly name: string;
  readonly kind: DestinationKind;
  readonly repeats: Subject['repeats'];
  /** @param place `name:port` of the relay, which speaks TLS @param nth a place of its own there, for one rig */
  conf(place: string, nth: number): string;
  /** Makes what has to be there before. */
  make?(nth: number): Promise<void>;
  /** What the server has at the rig's place: whole bodies, or single lines. */
  held(
    nth: number,
  ): Promise<{ readonly bodies: readonly Buffer[] } | { readonly lines: readonly string[] }>;
  readonly expected?: Partial<Record<Situation, Expected>>;
  /** What the job's owner got wrong where the credentials are refused. */
  readonly wrong?: (conf: string) => string;
  /** Texts that no outcome may hold. */
  readonly secrets?: readonly string[];
  readonly largestBytes?: number;
  readonly tools?: Partial<DestinationTools>;
}

const MOODS: Partial<Record<Situation, Mood>> = {
  'is slow': 'slow',
  'cuts before the body': 'cuts at once',
  'cuts in the body': 'cuts in the batch',
  'takes the batch and its answer is lost': 'loses the answer',
  'answers nonsense': 'answers nonsense',
  'answers endlessly': 'answers endlessly',
  'says nothing': 'is silent',
  'takes nothing': 'takes nothing',
};

const scripted: Expected = { notHere: 'said by a scripted answer in the island’s own suite' };
const cut: Expected = { kind: 'retry', reason: /cut|closed/ };

const EXPECTED: Record<Situation, Expected> = {
  accepts: { kind: 'accepted' },
  'is slow': { kind: 'accepted' },
  'refuses the credentials': scripted,
  'finds the batch too large': scripted,
  'finds the content bad': scripted,
  'asks to wait': scripted,
  'is in trouble': scripted,
  redirects: scripted,
  'cuts before the body': cut,
  'cuts in the body': cut,
  'takes the batch and its answer is lost': cut,
  // A server that ends at once may be found out by the cut, while the batch is on its way.
  'answers nonsense': { kind: 'retry', reason: /not valid HTTP|cut|closed/ },
  'answers endlessly': { kind: 'retry', reason: /not valid HTTP/ },
  'answers by half': scripted,
  'says nothing': { kind: 'retry', reason: /nothing moved/ },
  'takes nothing': { kind: 'retry', reason: /nothing moved/ },
  'has a certificate that expired': { kind: 'retry', reason: /TLS.*expired/ },
  'has a certificate of nobody known': { kind: 'retry', reason: /TLS.*self-signed/ },
  'has a name that does not exist': { kind: 'retry', reason: /DNS.*not found/ },
  'stands at an inner address': { kind: 'retry', reason: /not allowed/ },
  'has no space': scripted,
};

/** Receivers of lines want them of now. */
const nowMs = Date.now();
let rigs = 0;

/** @param relay leads to the server once that is up */
export function relayedSubject(subject: RelayedSubject, relay: () => Relay): Subject {
  const takesLines = subject.kind.parse(subject.conf('receiver.test:1', 0), POLICY);
  const isFramed = 'framing' in takesLines || 'encoding' in takesLines;
  const made = new Map<number, Batch>();
  const linesOf = new Map<string, readonly string[]>();
  const batch = (bytes: number): Batch => {
    const known = made.get(bytes);
    if (known) return known;
    const lines = sampleLines(bytes);
    const fresh = isFramed
      ? framedBatch(subject.conf('receiver.test:1', 0), lines, { id: `job7-aa-${bytes}`, nowMs })
      : sampleBatch(bytes, `job7-aa-${bytes}`);
    made.set(bytes, fresh);
    linesOf.set(fresh.id, lines);
    return fresh;
  };
  return {
    name: subject.name,
    repeats: subject.repeats,
    neverSaid: [...(subject.secrets ?? []), '127.0.0.1'],
    expected: { ...EXPECTED, ...subject.expected },
    batch,
    ...(subject.largestBytes === undefined ? {} : { largestBytes: subject.largestBytes }),
    rig: (situation) => rig(subject, relay(), situation, linesOf),
  };
}

const POLICY = { allowHttp: true, fileRoots: [] };

async function rig(
  subject: RelayedSubject,
  relay: Relay,
  situation: Situation,
  linesOf: ReadonlyMap<string, readonly string[]>,
): Promise<Rig> {
  const nth = (rigs += 1);
  await subject.make?.(nth);
  const unknown = situation === 'has a certificate of nobody known';
  const quiet = situation === 'says nothing' || situation === 'takes nothing';
  relay.mood(MOODS[situation] ?? 'good');
  relay.dress(situation === 'has a certificate that expired' ? 'expired' : 'good');
  const trusting = testDialler({ ca: [VALID.cert, EXPIRED.cert] });
  const wary = testDialler({
    ca: unknown ? [] : [VALID.cert, EXPIRED.cert],
    ...(situation === 'stands at an inner address' ? { open: [] } : {}),
  });
  const tools = { ...subject.tools, responseBytes: 65_536 };
  const open = (conf: string, dialler = trusting, stallMs = 20_000) =>
    subject.kind.open(conf, testTools({ ...tools, dialler, stallMs }));
  const host = situation === 'has a name that does not exist' ? 'nowhere.example' : 'receiver.test';
  const conf = subject.conf(`${host}:${relay.port}`, nth);
  const spoil = situation === 'refuses the credentials' ? subject.wrong : undefined;
  let sender = await open(spoil?.(conf) ?? conf, wary, quiet ? 1_500 : undefined);
  const accepted: Batch[] = [];
  return {
    sender: {
      async send(batch, signal) {
        const outcome = await sender.send(batch, signal);
        if (outcome.kind !== 'accepted') return outcome;
        accepted.push(batch);
        // Where it stands differs by nature.
        return subject.repeats === 'appends' ? { ...outcome, receipt: '' } : outcome;
      },
      close: () => sender.close(),
    },
    async held() {
      const held = await subject.held(nth);
      return 'bodies' in held ? held.bodies : batchesIn(held.lines, accepted, linesOf);
    },
    async recover() {
      relay.mood('good');
      relay.dress('good');
      await sender.close();
      sender = await open(subject.conf(`receiver.test:${relay.port}`, nth));
    },
    close() {
      wary.close();
      trusting.close();
      return Promise.resolve();
    },
  };
}

/** The bodies of the batches whose lines are all there, each as often as it was accepted; anything else makes one more. */
function batchesIn(
  lines: readonly string[],
  accepted: readonly Batch[],
  linesOf: ReadonlyMap<string, readonly string[]>,
): readonly Buffer[] {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  const bodies: Buffer[] = [];
  for (const batch of accepted) {
    const own = linesOf.get(batch.id) ?? [];
    if (!own.every((line) => (counts.get(line) ?? 0) > 0)) continue;
    for (const line of own) counts.set(line, (counts.get(line) ?? 0) - 1);
    bodies.push(Buffer.concat(batch.body));
  }
  const rest = [...counts].filter(([, count]) => count > 0);
  return rest.length === 0 ? bodies : [...bodies, Buffer.from(JSON.stringify(rest.slice(0, 3)))];
}
