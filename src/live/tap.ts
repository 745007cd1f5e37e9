/**
 * The shard's side: keeps some of the lines that go by, for sessions that somebody listens to.
 *
 * Per session there is one arena of fixed size and at most one message under way to the other side. While that one has not
 * been taken, lines gather in the arena; when it is full, every second of them gives way, and so on: a slow listener, or a
 * busy control thread, makes the sample coarser and nothing else. Each hand-over says for how many lines one stands.
 */
import type { Cancel, Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { LiveLines, LiveOnlooker, TapLimits, TappedLines, Watch } from './contract.ts';
import { Sieve } from './sieve.ts';

interface TapDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: TapLimits;
  /** Sends lines to the other side, which answers by {@link Tap.taken} when it can bear more. */
  readonly hand: (lines: TappedLines) => void;
}

/** What ingest sees of it: `watching` and `onlooker`. */
export class Tap {
  /** Whether anybody looks at any stream. While it is false, nothing else need be asked. */
  watching = false;
  readonly #deps: TapDeps;
  #byStream = new Map<string, SessionTap>();
  #stopTicking: Cancel | undefined;

  constructor(deps: TapDeps) {
    this.#deps = deps;
  }

  /** Puts this list, whole, in the place of the last one. A stream has one session at most. */
  watch(watches: readonly Watch[]): void {
    const known = this.#byStream;
    this.#byStream = new Map(
      watches.map(({ session, stream }) => {
        const tap = known.get(stream);
        return [stream, tap?.session === session ? tap : this.#open(session)];
      }),
    );
    this.watching = watches.length > 0;
    if (!this.watching) this.#stopTicking?.();
    this.#stopTicking = this.watching
      ? (this.#stopTicking ?? this.#deps.clock.every(this.#deps.limits.tickMs, () => this.#tick()))
      : undefined;
  }

  #open(session: string): SessionTap {
    const { limits, random } = this.#deps;
    return new SessionTap(session, limits, random.bytes(4).readUInt32LE());
  }

  /** Whoever looks at the stream. */
  onlooker(stream: string): LiveOnlooker | undefined {
    return this.#byStream.get(stream);
  }

  /** The session's last lines were taken. */
  taken(session: string): void {
    for (const tap of this.#byStream.values()) if (tap.session === session) tap.underWay = false;
  }

  #tick(): void {
    for (const tap of this.#byStream.values()) {
      if (tap.underWay) continue;
      const lines = tap.take();
      if (lines === undefined) continue;
      tap.underWay = true;
      this.#deps.hand(lines);
    }
  }
}

/** The lines kept for one session since its last hand-over. */
class SessionTap implements LiveOnlooker {
  readonly session: string;
  underWay = false;
  readonly #arena: Buffer;
  /** Of each kept line: its number since the last hand-over, and the byte just behind it in the arena. */
  readonly #numbers: Float64Array;
  readonly #ends: Uint32Array;
  #kept = 0;
  #bytes = 0;
  #seen = 0;
  #level = 0;
  #salt: number;
  #sieve: Sieve;

  constructor(session: string, limits: TapLimits, salt: number) {
    this.session = session;
    this.#arena = Buffer.allocUnsafeSlow(limits.tapBytes);
    this.#numbers = new Float64Array(limits.tapLines);
    this.#ends = new Uint32Array(limits.tapLines);
    this.#salt = salt;
    this.#sieve = new Sieve(1, salt);
  }

  seeAll({ bytes, ends }: LiveLines): void {
    const first = this.#seen;
    this.#seen += ends.length;
    for (
      let number = this.#sieve.nextKept(first, this.#level);
      number < this.#seen;
      number = this.#sieve.nextKept(number + 1, this.#level)
    ) {
      const index = number - first;
      this.#put(number, bytes, index === 0 ? 0 : ends[index - 1]!, ends[index]!);
    }
  }

  see(bytes: Buffer, start: number, end: number): void {
    const number = this.#seen++;
    if (this.#isKept(number)) this.#put(number, bytes, start, end);
  }

  #isKept(number: number): boolean {
    return this.#sieve.nextKept(number, this.#level) === number;
  }

  /** Keeps the line, unless every second one has to give way for it and it is among them. */
  #put(number: number, bytes: Buffer, start: number, end: number): void {
    // A line larger than all room is not shown.
    if (end - start > this.#arena.length) return;
    while (this.#kept === this.#ends.length || this.#bytes + end - start > this.#arena.length) {
      this.#coarsen();
      if (!this.#isKept(number)) return;
    }
    this.#keep(number, bytes, start, end);
  }

  #keep(number: number, bytes: Buffer, start: number, end: number): void {
    bytes.copy(this.#arena, this.#bytes, start, end);
    this.#bytes += end - start;
    this.#numbers[this.#kept] = number;
    this.#ends[this.#kept++] = this.#bytes;
  }

  #coarsen(): void {
    this.#level++;
    const count = this.#kept;
    this.#kept = 0;
    this.#bytes = 0;
    let start = 0;
    for (let index = 0; index < count; index++) {
      const end = this.#ends[index]!;
      const number = this.#numbers[index]!;
      if (this.#isKept(number)) this.#keep(number, this.#arena, start, end);
      start = end;
    }
  }

  /** Hands out what was kept, and begins anew. Undefined when there was nothing. */
  take(): TappedLines | undefined {
    const taken =
      this.#kept === 0
        ? undefined
        : {
            session: this.session,
            bytes: new Uint8Array(this.#arena.subarray(0, this.#bytes)),
            lines: this.#kept,
            weight: this.#sieve.stride(this.#level),
          };
    this.#kept = 0;
    this.#bytes = 0;
    this.#seen = 0;
    this.#level = 0;
    // Numbers begin at 0 again: with the same salt the same places would be kept each time.
    this.#salt = (this.#salt + 1) >>> 0;
    this.#sieve = new Sieve(1, this.#salt);
    return taken;
  }
}
