/**
 * From a request to something that a commit can take: repeats answered, refusals made, large ones cut and deflated while
 * earlier commits are still on their way to disk.
 */
import { crc32 } from 'node:zlib';

import { assert } from '../../lib/assert.ts';
import { combineCrc32 } from '../../lib/crc32.ts';
import type { AppendRefusal, AppendRequest, AppendResult, Cut, SummedCut } from '../contract.ts';
import type { ServiceClock } from '../service-clock.ts';
import type { ShardState } from '../state/state.ts';
import { cutLines } from './cut.ts';
import { deflatedPiece, isMedium, makePiece, whereToDeflate } from './deflate.ts';
import type { Piece } from './deflate.ts';
import type { Compressions } from './compressions.ts';
import { DeflateAhead } from './deflate-ahead.ts';
import { answerRepeat, identityName } from './repeats.ts';

/** A request on its way into a commit. Large ones come in pieces; a small one (`pieces` empty) shares a block. */
export interface Pending {
  readonly request: AppendRequest;
  pieces: readonly Piece[];
  /** Whether its pieces are done. Until then it holds back later requests of its stream, so that their order stays. */
  ready: boolean;
  /** CRC-32 of the whole body; computed only for requests that can be recognised. */
  crc: number;
  readonly done: (result: AppendResult) => void;
}

/** Whether lines may come in just now, and if not, why and for how long. */
export interface Admission {
  admit(
    request: AppendRequest,
    isNew: boolean,
  ): undefined | { readonly reason: AppendRefusal; readonly retryAfterMs: number };
  /** A request that was let in has been stored or refused. */
  finished(request: AppendRequest): void;
}

export interface IntakeDeps {
  readonly state: ShardState;
  readonly service: ServiceClock;
  readonly admission: Admission;
  readonly compressions: Compressions;
  readonly limits: {
    readonly blockLines: number;
    readonly blockBytes: number;
    readonly deflatedLines: number;
    readonly deflatedBytes: number;
  };
  /** Puts it at the end of the queue. */
  readonly enqueue: (pending: Pending) => void;
  /** Says that a queued one has become ready. */
  readonly wake: () => void;
}

/**
 * Plain bytes from which a request has blocks of its own, deflated while earlier commits are on their way to disk. As large as
 * delivery takes over as it is.
 */
export const SHARED_BYTES = 32 * 1024;

export class Intake {
  readonly #deps: IntakeDeps;
  /** Requests with an identity that are under way. */
  readonly #underWay = new Map<string, Promise<AppendResult>>();
  /** Streams whose first block is under way: they were charged to their account already. */
  readonly #newStreams = new Map<string, number>();
  readonly #ahead: DeflateAhead | undefined;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
    const { many } = deps.compressions;
    this.#ahead = many && new DeflateAhead(many, deps.wake);
  }

  append(request: AppendRequest): Promise<AppendResult> {
    const { identity, stream, lines } = request;
    assert(lines.ends.length > 0, 'a request has lines');
    assert(lines.ends.at(-1) === lines.bytes.length, 'the last line ends where the bytes end');
    if (identity === undefined) return this.#store(request);
    return this.#appendOnce(request, identityName(stream, identity));
  }

  async #appendOnce(request: AppendRequest, name: string): Promise<AppendResult> {
    const first = this.#underWay.get(name);
    if (first !== undefined) return this.#follow(first, request);
    const mine = this.#storeOnce(request);
    this.#underWay.set(name, mine);
    try {
      return await mine;
    } finally {
      this.#underWay.delete(name);
    }
  }

  async #storeOnce(request: AppendRequest): Promise<AppendResult> {
    const repeat = await answerRepeat(this.#deps.state, request, this.#deps.service.nowMs());
    return repeat ?? this.#store(request);
  }

  /** A repeat of a request under way shares its outcome; when that was stored, the bodies are compared. */
  async #follow(first: Promise<AppendResult>, request: AppendRequest): Promise<AppendResult> {
    const outcome = await first;
    if (outcome.kind !== 'stored') return outcome;
    const answer = await answerRepeat(this.#deps.state, request, this.#deps.service.nowMs());
    return answer ?? { ...outcome, repeat: true };
  }

  #store(request: AppendRequest): Promise<AppendResult> {
    const { state, admission } = this.#deps;
    const isNew = !state.streams.has(request.stream) && !this.#newStreams.has(request.stream);
    const refusal = admission.admit(request, isNew);
    if (refusal !== undefined) return Promise.resolve({ kind: 'refused', ...refusal });
    const counted = !state.streams.has(request.stream);
    if (counted) this.#countNew(request.stream, 1);
    return new Promise((resolve) => {
      const done = (result: AppendResult): void => {
        if (counted) this.#countNew(request.stream, -1);
        admission.finished(request);
        resolve(result);
      };
      this.#prepare({ request, pieces: [], ready: false, crc: 0, done });
    });
  }

  #countNew(stream: string, change: number): void {
    const count = (this.#newStreams.get(stream) ?? 0) + change;
    if (count === 0) this.#newStreams.delete(stream);
    else this.#newStreams.set(stream, count);
  }

  /** Streams on their way to their first block. */
  get newStreams(): number {
    return this.#newStreams.size;
  }

  #prepare(pending: Pending): void {
    const { lines, identity } = pending.request;
    const { blockBytes, blockLines } = this.#deps.limits;
    const isOneBlock = lines.ends.length <= blockLines && lines.bytes.length <= blockBytes;
    if (isOneBlock && lines.bytes.length < SHARED_BYTES) {
      if (identity !== undefined) pending.crc = crc32(lines.bytes);
      pending.ready = true;
      this.#deps.enqueue(pending);
      return;
    }
    const asSent = this.#asSent(pending.request);
    if (asSent) {
      this.#ready(pending, [asSent]);
      this.#deps.enqueue(pending);
      return;
    }
    this.#deps.enqueue(pending);
    if (this.#ahead && isOneBlock && isMedium(lines.bytes.length)) {
      this.#ahead.deflate({
        plain: lines.bytes,
        lines: lines.ends.length,
        done: (piece) => (piece ? this.#ready(pending, [piece]) : void this.#deflate(pending)),
      });
    } else void this.#deflate(pending);
  }

  /** The one block of lines that came deflated, where they may be one. */
  #asSent({ lines, deflated }: AppendRequest): Piece | undefined {
    const { deflatedBytes, deflatedLines } = this.#deps.limits;
    if (!deflated || lines.ends.length > deflatedLines) return undefined;
    return lines.bytes.length > deflatedBytes ? undefined : deflatedPiece(lines, deflated);
  }

  async #deflate(pending: Pending): Promise<void> {
    const { limits, compressions } = this.#deps;
    const { request } = pending;
    const { lines } = request;
    const cuts: readonly (Cut & Partial<SummedCut>)[] =
      request.cuts ?? cutLines(lines, limits.blockLines, limits.blockBytes);
    assert(cuts.at(-1)?.to === lines.ends.length, 'the cuts are of these lines');
    const pieces = await Promise.all(
      cuts.map((cut) =>
        compressions.gate.run(() => {
          const where = whereToDeflate(cut.bytes.length, lines.bytes.length);
          return makePiece(cut.bytes, cut.to - cut.from, where, cut.crc);
        }),
      ),
    );
    this.#ready(pending, pieces);
    this.#deps.wake();
  }

  #ready(pending: Pending, pieces: readonly Piece[]): void {
    pending.pieces = pieces;
    if (pending.request.identity !== undefined) pending.crc = crcOf(pieces);
    pending.ready = true;
  }
}

/** CRC-32 of what the pieces hold together. */
function crcOf(pieces: readonly Piece[]): number {
  return pieces.reduce(
    (crc, { plainCrc, plainBytes }) => combineCrc32(crc, plainCrc, plainBytes),
    0,
  );
}
