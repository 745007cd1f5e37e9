/** What becomes of a whole body: decompressed, framed or split, bad lines kept apart, good ones appended. */
import type { AppendRequest, Lines } from '../buffer/index.ts';
import { assert } from '../lib/assert.ts';
import { combineCrc32 } from '../lib/crc32.ts';
import type { HandedResult } from '../peers/index.ts';
import type { Admission } from './admit.ts';
import type { AcceptedPart, PartAnswer, Outcome } from './answer.ts';
import type { StreamKey } from '../model/scope.ts';
import type { IngestDeps, KeptLine } from './contract.ts';
import type { BodyPool } from './body-pool.ts';
import { BROKEN, decompress, plainTooLarge, WHOLE_SLACK_BYTES } from './decompress.ts';
import type { Coding, Decompressed } from './decompress.ts';
import type { FairRate } from './fair-rate.ts';
import { Framing } from './frame.ts';
import type { Framed } from './frame.ts';
import { identityFor } from './identity.ts';
import { countInTurns, inTurns } from './lines.ts';
import type { LineCount } from './lines.ts';
import type { Lease } from './memory.ts';
import type { Place } from './place.ts';
import { giveBack } from '../lib/give-back.ts';
import type { Pieces } from './pieces.ts';
import { Proof } from './proof.ts';
import { overRate } from './refusal.ts';
import type { Refusal } from './refusal.ts';
import type { Slots } from './slots.ts';
import { Splitting } from './split.ts';
import type { Wheel } from './wheel.ts';

export interface Taking {
  readonly deps: IngestDeps;
  readonly rate: FairRate | undefined;
  readonly decompressing: Slots;
  /** Gives bodies their turns of the thread's time. */
  readonly wheel: Wheel;
  readonly bodies: BodyPool;
  /** Logs a fault of ours. @returns how it is told to the sender */
  readonly fault: (error: unknown) => Refusal;
  /** Counts bytes after decompression. */
  readonly sawPlain: (bytes: number) => void;
}

/** When to send again what could not be kept apart just now, in seconds. */
const KEEP_RETRY_S = 5;

/** @param lease holds the body's bytes; the caller releases it */
export function take(
  taking: Taking,
  admission: Admission,
  body: Pieces,
  lease: Lease,
): Promise<Outcome> {
  // Lines as they are have nothing to wait for.
  if (admission.coding === 'identity') return takePlain(taking, admission, body, lease);
  return takePacked(taking, admission, admission.coding, body, lease);
}

async function takePacked(
  taking: Taking,
  admission: Admission,
  coding: Exclude<Coding, 'identity'>,
  body: Pieces,
  lease: Lease,
): Promise<Outcome> {
  const mostBytes = plainBytesMost(taking, admission);
  const { limits } = taking.deps;
  const { to } = admission;
  const here = {
    mostBytes: limits.decompressedHereBytes,
    deflatedBytes: to.kind === 'stream' && to.wanted ? limits.deflatedBytes : 0,
    inTurn: (work: () => void) =>
      taking.wheel.run(admission.payer, true, () => {
        work();
        return false;
      }),
  };
  const unpacked = await taking.decompressing.run(admission.payer, () =>
    decompress(body, coding, lease, mostBytes, here),
  );
  if ('code' in unpacked) return { kind: 'refused', refusal: unpacked, lines: 0 };
  return await takePlain(taking, admission, unpacked.plain, lease, unpacked);
}

/** What is known of lines that came compressed. */
type Sealed = Pick<Decompressed, 'crc' | 'fragment'>;

function takePlain(
  taking: Taking,
  admission: Admission,
  plain: Pieces,
  lease: Lease,
  sealed: Sealed = {},
): Promise<Outcome> {
  const mostBytes = plainBytesMost(taking, admission);
  if (plain.bytes > mostBytes) {
    return Promise.resolve({ kind: 'refused', refusal: plainTooLarge(mostBytes), lines: 0 });
  }
  taking.sawPlain(plain.bytes);
  return admission.to.kind === 'by'
    ? takeSplit(taking, admission, admission.to, plain, lease, sealed)
    : takeFramed(taking, admission, admission.to, plain, lease, sealed);
}

function plainBytesMost({ deps }: Taking, { to }: Admission): number {
  return to.kind === 'by' ? deps.limits.splitBytes : deps.limits.plainBytes;
}

async function takeFramed(
  taking: Taking,
  admission: Admission,
  place: Place,
  plain: Pieces,
  lease: Lease,
  { crc, fragment }: Sealed,
): Promise<Outcome> {
  const { limits } = taking.deps;
  taking.rate?.charge(place.account, plain.bytes);
  const { tap } = taking.deps;
  const onlooker = tap?.watching ? tap.onlooker(place.stream) : undefined;
  if (!place.wanted && onlooker === undefined) {
    const pieces = plain.take();
    if (crc !== undefined && !new Proof(pieces[0]!, crc).holds()) return broken();
    return unwanted(place, await countInTurns(pieces, taking.wheel, place.account));
  }
  const rules = { lineBytes: limits.lineBytes, strict: admission.strict };
  let isMovable = false;
  const plainBytes = plain.bytes;
  const body = plain.joinLines((bytes) => {
    // Memory of its own; a body that came in one piece lies beside others.
    isMovable = true;
    return taking.bodies.take(bytes);
  });
  const proof = crc === undefined ? undefined : new Proof(body.subarray(0, plainBytes), crc);
  const framing = new Framing(body, rules, limits, admission.quarantine, proof?.look);
  const turns = inTurns(framing, lease, taking.wheel, admission.payer);
  const givenUp = turns instanceof Promise ? await turns : turns;
  const framed = framing.result();
  const isAsSent = body.length === plainBytes && framed.lines.bytes.length === plainBytes;
  const sums = proof && isAsSent ? sumsOf(taking, proof, framed, fragment) : undefined;
  if (proof && !proof.holds()) return broken();
  const refusal = givenUp ?? framed.refusal;
  if (refusal !== undefined) return { kind: 'refused', refusal, lines: framed.count };
  if (framed.count === 0) return { kind: 'taken', parts: [] };
  onlooker?.seeAll(framed.lines);
  if (!place.wanted) {
    return {
      kind: 'taken',
      parts: [{ kind: 'unwanted', stream: place.stream, lines: framed.count }],
    };
  }
  const part = await store(taking, admission, place, framed, isMovable, sums);
  // Stored, so nobody looks at the bytes any more. After a fault somebody might.
  if (part.kind === 'accepted') {
    const isPooled = taking.bodies.give(body);
    // One that came out of its compression in one piece has memory of its own.
    if (!isPooled && admission.coding !== 'identity') giveBack(body, WHOLE_SLACK_BYTES);
  }
  return part.kind === 'refused'
    ? { kind: 'refused', refusal: part.refusal, lines: framed.count }
    : { kind: 'taken', parts: [part] };
}

type Sums = Pick<AppendRequest, 'cuts' | 'deflated'>;

/**
 * Sums a body's lines, which are all of its bytes, as the block or blocks that they will be, and settles by that whether they hold.
 *
 * @param fragment the body as its sender has deflated it
 */
function sumsOf(
  { deps }: Taking,
  proof: Proof,
  { lines, refusal }: Framed,
  fragment: Buffer | undefined,
): Sums | undefined {
  if (refusal !== undefined || proof.isKnown) return undefined;
  if (fragment) return { deflated: { fragment, crc: proof.crc } };
  const cuts = deps.cut?.(lines);
  if (!cuts) return undefined;
  proof.settle(cuts.reduce((sum, cut) => combineCrc32(sum, cut.crc, cut.bytes.length), 0));
  return { cuts };
}

/** Whether a body's lines are counted as they come: nobody wants or sees them, and they can be told apart as they are. */
export function isOnlyCounted({ tap }: IngestDeps, { to, coding }: Admission): boolean {
  if (to.kind === 'by' || to.wanted || coding !== 'identity') return false;
  return !tap?.watching || tap.onlooker(to.stream) === undefined;
}

/** Lines that nobody wants, counted on their way in. */
export function takeCounted(
  { rate, sawPlain }: Taking,
  { place }: Pick<Admission, 'place'>,
  count: LineCount,
): Outcome {
  assert(place, 'only lines of one stream are counted as they come');
  count.end();
  sawPlain(count.bytes);
  rate?.charge(place.account, count.bytes);
  return unwanted(place, count);
}

function broken(): Outcome {
  return { kind: 'refused', refusal: BROKEN, lines: 0 };
}

function unwanted({ stream }: Place, { lines }: LineCount): Outcome {
  return { kind: 'taken', parts: lines === 0 ? [] : [{ kind: 'unwanted', stream, lines }] };
}

async function takeSplit(
  taking: Taking,
  admission: Admission,
  by: Extract<Admission['to'], { kind: 'by' }>,
  plain: Pieces,
  lease: Lease,
  { crc }: Sealed,
): Promise<Outcome> {
  const { foreign, limits, random, tap } = taking.deps;
  const onlooker = tap?.watching ? (stream: StreamKey) => tap.onlooker(stream) : undefined;
  const rules = { lineBytes: limits.lineBytes, strict: admission.strict };
  const seed = random.bytes(4).readUInt32LE();
  const plainBytes = plain.bytes;
  const body = plain.joinLines((bytes) => taking.bodies.take(bytes));
  if (crc !== undefined && !new Proof(body.subarray(0, plainBytes), crc).holds()) return broken();
  const splitting = new Splitting(
    body,
    {
      ...by,
      seed,
      make: (bytes) => taking.bodies.take(bytes),
      ...(onlooker && { onlooker }),
      ...(foreign && { ownerOf: (stream) => foreign.ownerOf(stream) }),
    },
    rules,
    limits,
    admission.quarantine,
  );
  const givenUp = await inTurns(splitting, lease, taking.wheel, admission.payer);
  const split = splitting.result();
  // Each part has its lines copied.
  taking.bodies.give(body);
  const refusal = givenUp ?? split.refusal;
  if (refusal !== undefined) return { kind: 'refused', refusal, lines: 0 };
  let mayBeLookedAt = false;
  const parts = split.parts.map(async (part): Promise<PartAnswer> => {
    const { place, count } = part;
    const { stream, account } = place;
    const waitMs = taking.rate?.waitMs(account, part.lines.bytes.length) ?? 0;
    if (waitMs > 0) return { kind: 'refused', stream, lines: count, refusal: overRate(waitMs) };
    taking.rate?.charge(account, part.lines.bytes.length);
    if (!place.wanted) return { kind: 'unwanted', stream, lines: count };
    if (part.refusal !== undefined)
      return { kind: 'refused', stream, lines: count, refusal: part.refusal };
    const stored = await store(taking, admission, place, part, true);
    if (stored.kind !== 'refused') return stored;
    mayBeLookedAt = true;
    return { ...stored, lines: count };
  });
  const strays = split.strays.map((stray): PartAnswer => ({
    kind: 'refused',
    lines: stray.count,
    refusal: stray.refusal,
  }));
  const answers = await Promise.all(parts);
  // All stored or not even tried, so nobody looks at the copies any more. After a fault somebody might.
  if (split.memory && !mayBeLookedAt) taking.bodies.give(split.memory);
  return { kind: 'taken', parts: [...answers, ...strays] };
}

type Stored = AcceptedPart | Extract<PartAnswer, { kind: 'refused' }>;

/** Keeps a stream's bad lines and appends its good ones. Never rejects. */
async function store(
  taking: Taking,
  admission: Admission,
  { stream, account }: Place,
  { lines, bad }: { readonly lines: Lines; readonly bad: readonly KeptLine[] },
  isMovable: boolean,
  sums?: Sums,
): Promise<Stored> {
  const { deps } = taking;
  const accepted = {
    kind: 'accepted',
    stream,
    lines: 0,
    bytes: 0,
    quarantined: bad.length,
  } as const;
  const refused = (refusal: Refusal): Stored => ({ kind: 'refused', stream, lines: 0, refusal });
  try {
    // First kept, then appended: lines that are neither accepted nor kept would be lost silently. When the append is
    // refused, the sender's next try keeps them a second time.
    const first = bad[0];
    if (first !== undefined) {
      const kept = await deps.keepLines({ stream, account, reason: 'quarantined', lines: bad });
      if (kept === 'failed') return refused({ code: 'disk_full', retryAfterS: KEEP_RETRY_S });
      if (kept === 'full') {
        const detail = 'There is no room left to keep bad lines apart.';
        return refused({ code: first.problem, line: first.line, detail });
      }
    }
    if (lines.ends.length === 0) return accepted;
    const identity =
      admission.identity && identityFor(admission.identity, admission.token.id, stream);
    const request = {
      stream,
      account,
      lines,
      ...(identity && { identity }),
      ...sums,
    };
    const size = { lines: lines.ends.length, bytes: lines.bytes.length };
    const result = await append(deps, request, admission.via, isMovable);
    if (result.kind !== 'stored') return refused(appendRefusal(result));
    const stored = { epoch: result.epoch, range: result.range, repeat: result.repeat };
    return { ...accepted, ...size, stored };
  } catch (error) {
    return refused(taking.fault(error));
  }
}

/** Has lines stored by the shard that owns their stream. Their bytes may be gone afterwards. */
async function append(
  { append: own, foreign, passedThrough }: IngestDeps,
  request: AppendRequest & { readonly stream: StreamKey },
  via: readonly string[],
  isMovable: boolean,
): Promise<HandedResult> {
  const owner = foreign?.ownerOf(request.stream);
  if (foreign && owner !== undefined) return foreign.append(owner, { ...request, via, isMovable });
  const result = await own(request);
  if (result.kind === 'stored') passedThrough?.note(request.stream, result.range, via);
  return result;
}

function appendRefusal(result: Exclude<HandedResult, { kind: 'stored' }>): Refusal {
  if (result.kind === 'key_conflict') return { code: 'key_conflict', path: 'Idempotency-Key' };
  return { code: result.reason, retryAfterS: Math.max(1, Math.ceil(result.retryAfterMs / 1000)) };
}
