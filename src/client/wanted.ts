/** Which streams a server wants, for producers that would rather not send what nobody takes. */
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { StreamKey } from '../model/scope.ts';
import { judgeWanted, readWanted, wantedKey } from '../model/wanted-set.ts';
import type { WantedSet } from '../model/wanted-set.ts';

export interface WantedOptions {
  /** The server's control URL, such as `http://127.0.0.1:4511`. */
  readonly url: string;
  /** The ingest token that lines are sent with. */
  readonly token: string;
  /** How long one question waits for news. @default 30,000 */
  readonly waitMs?: number;
  /** Told why what the server says is not believed, or why it says nothing. */
  readonly onProblem?: (problem: string) => void;
  readonly clock?: Clock;
}

export interface Wanted {
  /** Whether somebody wants the stream; undefined while there has never been a good set: then lines are sent. */
  wants(stream: StreamKey): boolean | undefined;
  /** The version of the last good set. */
  readonly version: number | undefined;
  close(): void;
}

const PAUSE_MS = 1_000;

/**
 * Keeps the wanted set by long poll. One that is blank, shrunken, cut, older or not sealed with the token changes nothing:
 * the last good one stays (I4).
 */
export function keepWanted(options: WantedOptions): Wanted {
  const clock = options.clock ?? systemClock;
  const waitMs = options.waitMs ?? 30_000;
  const stop = new AbortController();
  let set: WantedSet | undefined;
  let streams: ReadonlySet<string> = new Set();
  let seen: string | undefined;

  const ask = async (): Promise<string | undefined> => {
    const answer = await fetch(
      new URL(`/v1/wanted?wait=${Math.floor(waitMs / 1000)}`, options.url),
      {
        headers: {
          authorization: `Bearer ${options.token}`,
          ...(seen === undefined ? {} : { 'if-none-match': `"${seen}"` }),
        },
        signal: AbortSignal.any([stop.signal, AbortSignal.timeout(waitMs + 30_000)]),
      },
    );
    if (answer.status === 304) return undefined;
    const text = await answer.text();
    if (answer.status !== 200) return `the server answered ${answer.status}`;
    const read = readWanted(text, wantedKey(options.token));
    if (read.kind === 'fault') return read.detail;
    seen = read.tag;
    const judged = judgeWanted(read.set, set);
    if (judged.kind === 'doubt') return judged.detail;
    set = read.set;
    streams = new Set(set.streams.map(({ stream }) => stream));
    return undefined;
  };
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const startMs = clock.monotonicMs();
      let problem: string | undefined;
      try {
        problem = await ask();
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      if (stop.signal.aborted) return;
      if (problem !== undefined) options.onProblem?.(problem);
      const tookMs = clock.monotonicMs() - startMs;
      if (tookMs < PAUSE_MS) await clock.sleep(PAUSE_MS - tookMs, stop.signal);
    }
  };
  void run();
  return {
    wants: (stream) => (set === undefined ? undefined : streams.has(stream)),
    get version() {
      return set?.version;
    },
    close: () => stop.abort(),
  };
}
