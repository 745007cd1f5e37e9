/**
 * What every destination must pass, whatever it speaks: a test file of an island hands {@link destinationConformance}
 * rigs that bring about each situation, and the claims that it gets to `test`. A situation that cannot come about says why.
 */
import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Batch, Sender, SendOutcome } from './destination.ts';

const SITUATIONS = [
  'accepts',
  'is slow',
  'refuses the credentials',
  'finds the batch too large',
  'finds the content bad',
  'asks to wait',
  'is in trouble',
  'redirects',
  'cuts before the body',
  'cuts in the body',
  'takes the batch and its answer is lost',
  'answers nonsense',
  'answers endlessly',
  'answers by half',
  'says nothing',
  'takes nothing',
  'has a certificate that expired',
  'has a certificate of nobody known',
  'has a name that does not exist',
  'stands at an inner address',
  'has no space',
] as const;
export type Situation = (typeof SITUATIONS)[number];

/** A receiver in a situation, with a sender that leads to it. */
export interface Rig {
  readonly sender: Sender;
  /** What the receiver holds now, whole uploads only, by object name or in order of arrival. */
  held(): Promise<readonly Buffer[]>;
  /** Puts the receiver in order. */
  recover(): void | Promise<void>;
  close(): Promise<void>;
}

export type Expected =
  | { readonly kind: SendOutcome['kind']; readonly reason?: RegExp; readonly afterMs?: number }
  /** The situation cannot come about. */
  | { readonly notHere: string };

export interface Subject {
  readonly name: string;
  readonly repeats: 'replaces' | 'appends';
  readonly expected: Readonly<Record<Situation, Expected>>;
  /** Texts that no outcome may hold: secrets, inner addresses, what the receiver's body says. */
  readonly neverSaid: readonly string[];
  /** Plain bytes of the largest batch that is tried; absent: 3 MB. */
  readonly largestBytes?: number;
  /** Makes a batch that the receiver takes, with `bytes` of lines about; absent: {@link sampleBatch}. */
  readonly batch?: (bytes: number) => Batch;
  rig(situation: Situation): Promise<Rig>;
}

/** Lines of `bytes` in all, that gzip cannot shrink much. */
export function sampleLines(bytes: number, lineBytes = 400): readonly string[] {
  const key = Buffer.alloc(16, 7);
  const noise = createCipheriv('aes-128-ctr', key, key)
    .update(Buffer.alloc(bytes))
    .toString('base64');
  const parts = noise.match(new RegExp(`.{1,${lineBytes}}`, 'g')) ?? [];
  return parts.map((part) => `{"RayID":"${part}"}`);
}

/** A batch of `bytes` of body at least, that gzip cannot shrink. */
export function sampleBatch(bytes = 2_000, id = 'job7-00000000000000aa-0'): Batch {
  const made = samples.get(`${bytes} ${id}`) ?? makeSample(bytes, id);
  samples.set(`${bytes} ${id}`, made);
  return made;
}

const samples = new Map<string, Batch>();

function makeSample(bytes: number, id: string): Batch {
  const lines = sampleLines(bytes);
  const plain = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const body = gzipSync(plain, { level: 1 });
  const middle = Math.floor(body.length / 2);
  return {
    id,
    job: 7,
    stream: 'zones/z1/http_requests',
    epoch: '00000000000000aa',
    from: 0,
    to: lines.length,
    lines: lines.length,
    name: `20260102T030405Z_20260102T030410Z_${id}.log.gz`,
    receivedMs: { first: Date.UTC(2026, 0, 2, 3, 4, 5), last: Date.UTC(2026, 0, 2, 3, 4, 10) },
    contentType: 'application/x-ndjson',
    body: [body.subarray(0, middle), body.subarray(middle)],
    bodyBytes: body.length,
    plainBytes: plain.length,
    sha256: createHash('sha256').update(body).digest('hex'),
  };
}

const going = new AbortController().signal;

/** One claim of the suite; a test file hands it to `test`. */
export interface Claim {
  readonly name: string;
  readonly check: () => Promise<void>;
}

export function destinationConformance(subject: Subject): readonly Claim[] {
  // Made beforehand: it takes a second of the thread, which would look like a receiver's silence.
  const batchOf = subject.batch ?? sampleBatch;
  for (const bytes of [200_000, 12_000_000, subject.largestBytes ?? 3_000_000]) batchOf(bytes);
  const claims: Claim[] = [
    {
      name: 'an aborted attempt answers retry and leaves nothing behind that a repeat would not mend',
      check: () => tryAbort(subject),
    },
    {
      name: 'I7: a repeat brings the same bytes under the same name',
      check: () => tryRepeat(subject),
    },
    {
      name: 'a batch is sent whole, byte for byte, also when it is large',
      check: () => tryLarge(subject),
    },
  ];
  for (const situation of SITUATIONS) {
    const expected = subject.expected[situation];
    if ('notHere' in expected) {
      assert.ok(expected.notHere !== '', `${situation}: why it cannot come about`);
      continue;
    }
    claims.push({
      name: `a receiver that ${situation}: ${expected.kind}`,
      check: () => tryOut(subject, situation, expected),
    });
  }
  return claims.map(({ name, check }) => ({ name: `${subject.name}: ${name}`, check }));
}

async function tryOut(
  subject: Subject,
  situation: Situation,
  expected: Exclude<Expected, { notHere: string }>,
): Promise<void> {
  const rig = await subject.rig(situation);
  try {
    // What "takes nothing" needs to be noticed: more than the buffers on the way hold.
    const batchOf = subject.batch ?? sampleBatch;
    const batch = batchOf(situation === 'takes nothing' ? 12_000_000 : 200_000);
    const outcome = await rig.sender.send(batch, going);
    assert.equal(outcome.kind, expected.kind, describeOutcome(outcome));
    if (expected.reason) assert.match(describeOutcome(outcome), expected.reason);
    if (expected.afterMs !== undefined) {
      assert.ok(
        outcome.kind === 'retry' && outcome.afterMs === expected.afterMs,
        describeOutcome(outcome),
      );
    }
    const said = JSON.stringify(outcome);
    for (const secret of subject.neverSaid)
      assert.ok(!said.includes(secret), `${said} holds ${secret}`);
    if (outcome.kind === 'accepted')
      return assertHeld(await rig.held(), [Buffer.concat(batch.body)]);
    if (situation === 'stands at an inner address') return assert.deepEqual(await rig.held(), []);
    await rig.recover();
    const again = await rig.sender.send(batchOf(200_000), going);
    assert.equal(again.kind, 'accepted', `after the trouble: ${describeOutcome(again)}`);
  } finally {
    await rig.sender.close();
    await rig.close();
  }
}

async function tryAbort(subject: Subject): Promise<void> {
  const rig = await subject.rig('accepts');
  try {
    const batchOf = subject.batch ?? sampleBatch;
    const batch = batchOf(2_000);
    assert.equal((await rig.sender.send(batch, AbortSignal.abort())).kind, 'retry');
    const control = new AbortController();
    const sending = rig.sender.send(batchOf(subject.largestBytes ?? 2_000_000), control.signal);
    setImmediate(() => control.abort());
    const outcome = await sending;
    // It may have been done before the abort came.
    assert.ok(outcome.kind === 'retry' || outcome.kind === 'accepted', describeOutcome(outcome));
    assert.equal((await rig.sender.send(batch, going)).kind, 'accepted');
    assert.ok((await rig.held()).some((held) => held.equals(Buffer.concat(batch.body))));
  } finally {
    await rig.sender.close();
    await rig.close();
  }
}

async function tryRepeat(subject: Subject): Promise<void> {
  const rig = await subject.rig('accepts');
  try {
    const batch = (subject.batch ?? sampleBatch)(2_000);
    const body = Buffer.concat(batch.body);
    const first = await rig.sender.send(batch, going);
    const second = await rig.sender.send(batch, going);
    assert.equal(first.kind, 'accepted');
    assert.deepEqual(second, first);
    assertHeld(await rig.held(), subject.repeats === 'replaces' ? [body] : [body, body]);
  } finally {
    await rig.sender.close();
    await rig.close();
  }
}

async function tryLarge(subject: Subject): Promise<void> {
  const rig = await subject.rig('accepts');
  try {
    const batch = (subject.batch ?? sampleBatch)(subject.largestBytes ?? 3_000_000);
    const outcome = await rig.sender.send(batch, going);
    assert.equal(outcome.kind, 'accepted', describeOutcome(outcome));
    const held = await rig.held();
    assert.equal(held.length, 1);
    assert.ok(held[0]?.equals(Buffer.concat(batch.body)));
  } finally {
    await rig.sender.close();
    await rig.close();
  }
}

/** By their sums: a difference between two bodies would be worked out byte by byte, in gigabytes of memory. */
function assertHeld(held: readonly Buffer[], expected: readonly Buffer[]): void {
  const sum = (body: Buffer): string =>
    `${body.length} bytes, ${createHash('sha256').update(body).digest('hex')}`;
  assert.deepEqual(held.map(sum), expected.map(sum));
}

function describeOutcome(outcome: SendOutcome): string {
  return outcome.kind === 'accepted'
    ? `accepted: ${outcome.receipt}`
    : `${outcome.kind}: ${outcome.reason}`;
}
