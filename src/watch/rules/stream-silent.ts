import type { StreamLook, Verdicts, WatchLimits } from '../contract.ts';
import { span } from '../words.ts';

interface Steady {
  head: number;
  /** Beginning of the unbroken run of minutes with lines, and the time of the last lines; monotonic. */
  runFromMs: number;
  lastMs: number;
}

const KIND = 'stream_silent';
/** Two looks at a stream may lie this far apart and still be of neighbouring minutes. */
const GAP_MS = 90_000;
/** Head of a stream that is remembered from before a restart. */
const UNSEEN = -1;

/**
 * A stream had lines in every minute, and now has none. Seen by absence, so it is looked for where nothing happens: streams
 * stand in the order of their last lines, and only those at the front can be silent.
 */
export class StreamSilent {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  /** Whether the configuration has a job that wants the stream. */
  readonly #wanted: (stream: string) => boolean;
  /** In the order of their last lines. */
  readonly #streams = new Map<string, Steady>();
  /** Until then absence says nothing: there was nobody to see lines. */
  #blindUntilMs = 0;

  constructor(verdicts: Verdicts, limits: WatchLimits, wanted: (stream: string) => boolean) {
    this.#verdicts = verdicts;
    this.#limits = limits;
    this.#wanted = wanted;
  }

  /** @param nowMs monotonic */
  look({ stream, head }: StreamLook, nowMs: number): void {
    const known = this.#streams.get(stream);
    if (known?.head === head) return;
    if (known?.head === UNSEEN) {
      // How it stands after a restart says nothing of when that came.
      known.head = head;
      return;
    }
    this.#streams.delete(stream);
    // Two looks at a busy server's stream may lie far apart; so may they when nobody could look.
    const gapMs = Math.max(GAP_MS, this.#blindUntilMs - (known?.lastMs ?? 0));
    const unbroken = known !== undefined && nowMs - known.lastMs <= gapMs;
    const runFromMs = unbroken ? known.runFromMs : nowMs;
    this.#streams.set(stream, { head, runFromMs, lastMs: nowMs });
    if (known) this.#verdicts.clear(KIND, `stream ${stream}`);
    if (this.#streams.size <= this.#limits.steadyStreams) return;
    const [oldest] = this.#streams.keys();
    if (oldest !== undefined) this.#streams.delete(oldest);
  }

  /** Looks for streams that have fallen silent. @param nowMs monotonic */
  tick(nowMs: number): void {
    if (nowMs < this.#blindUntilMs) return;
    for (const [stream, steady] of this.#streams) {
      const silentMs = nowMs - Math.max(steady.lastMs, this.#blindUntilMs - this.#limits.silentMs);
      if (silentMs < this.#limits.silentMs) return;
      const subject = `stream ${stream}`;
      const steadyMs = steady.lastMs - steady.runFromMs;
      if (steadyMs < this.#limits.steadyMs) {
        this.#streams.delete(stream);
        continue;
      }
      if (!this.#wanted(stream) || silentMs > this.#limits.silentMostMs) {
        this.#streams.delete(stream);
        this.#verdicts.clear(KIND, subject);
        continue;
      }
      this.#verdicts.fire({
        kind: KIND,
        subject,
        stream,
        job: null,
        text: `It had lines in every minute for ${span(steadyMs)}, and none for ${span(silentMs)} now.`,
        facts: { steadyMs, silentMs },
      });
    }
  }

  /** Nobody could have seen lines until now: absence counts anew. @param nowMs monotonic */
  blind(nowMs: number): void {
    this.#blindUntilMs = nowMs + this.#limits.silentMs;
  }

  /** Names of the streams that are steady, for {@link remember} after a restart. */
  steady(): readonly string[] {
    return [...this.#streams]
      .filter(([, { runFromMs, lastMs }]) => lastMs - runFromMs >= this.#limits.steadyMs)
      .map(([stream]) => stream);
  }

  /** Takes streams that were steady before a restart. @param nowMs monotonic */
  remember(streams: readonly string[], nowMs: number): void {
    for (const stream of streams.slice(0, this.#limits.steadyStreams)) {
      this.#streams.set(stream, {
        head: UNSEEN,
        runFromMs: nowMs - this.#limits.steadyMs,
        lastMs: nowMs,
      });
    }
  }

  /** Ends alerts of streams that nobody wants or remembers any more. */
  tidy(): void {
    for (const { stream, subject } of this.#verdicts.firing(KIND)) {
      if (stream === null || this.#streams.has(stream) || this.#wanted(stream)) continue;
      this.#verdicts.clear(KIND, subject);
    }
  }
}
