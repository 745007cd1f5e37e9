/**
 * Keeps the wanted set: asks for it, judges what comes, and goes on with the last good one whatever comes (I4), also after
 * a restart and while nobody answers.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import type { Random } from '../../lib/random.ts';
import { judgeWanted, readWanted, wantedKey } from '../../model/wanted-set.ts';
import type { WantedDoubt, WantedFault, WantedSet } from '../../model/wanted-set.ts';
import { keepWanted, recallWanted } from './kept.ts';
import type { Kept } from './kept.ts';
import type { WantedSource } from './source.ts';

export interface KeeperDeps {
  readonly files: FileSystem;
  /** Where the last good one lies; it is there. */
  readonly directory: string;
  readonly source: WantedSource;
  readonly token: () => string;
  readonly waitMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  /** Puts a set in force. */
  readonly onSet: (set: WantedSet) => void;
}

export interface WantedState {
  /**
   * `current`: what the server says. `last_good`: the server says something that is not believed, or nothing. `none`:
   * there has never been a good one.
   */
  readonly state: 'current' | 'last_good' | 'none';
  readonly version: number | null;
  readonly streams: number | null;
  /** Why what the server says is not believed, or why it says nothing; null while all is well. */
  readonly problem: string | null;
  /** Documents refused since the start. */
  readonly refused: number;
}

/** Time between two questions when the last one had no good answer, doubling. */
const PAUSE_MS = 500;
const PAUSE_MS_MOST = 15_000;
/** Time between two questions at least, when an answer came at once and brought nothing. */
const LEAST_MS = 500;
/** How often a trouble that stays is told again. */
const REMIND_MS = 60_000;

export class WantedKeeper {
  readonly #deps: KeeperDeps;
  #kept: Kept | undefined;
  /** The tag of the newest document that could be read, believed or not: the next question waits for another. */
  #seenTag: string | undefined;
  #problem: string | null = null;
  #refused = 0;
  #failures = 0;
  #toldMs = -Infinity;
  #told: string | undefined;

  private constructor(deps: KeeperDeps, kept: Kept | undefined) {
    this.#deps = deps;
    this.#kept = kept;
    this.#problem = 'the server has not been heard yet';
  }

  /** Starts from what lies on disk. */
  static async open(deps: KeeperDeps): Promise<WantedKeeper> {
    const { kept, problems } = await recallWanted(deps.files, deps.directory);
    for (const problem of problems)
      deps.diagnostics.alarm('the kept wanted set is damaged and passed over', { problem });
    return new WantedKeeper(deps, kept);
  }

  /** The set in force; undefined when there has never been a good one. */
  get current(): WantedSet | undefined {
    return this.#kept?.set;
  }

  state(): WantedState {
    const set = this.#kept?.set;
    return {
      state: set === undefined ? 'none' : this.#problem === null ? 'current' : 'last_good',
      version: set?.version ?? null,
      streams: set?.streams.length ?? null,
      problem: this.#problem,
      refused: this.#refused,
    };
  }

  /** Asks until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, source } = this.#deps;
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      // What is known of a trouble is asked about without waiting first.
      const answer = await source.ask(this.#seenTag, this.#deps.waitMs, signal);
      if (signal.aborted) return;
      const good = await this.#take(answer);
      this.#failures = good === 'failed' ? this.#failures + 1 : 0;
      const tookMs = clock.monotonicMs() - startMs;
      const pauseMs =
        good === 'failed' ? this.#pauseMs() : good === 'taken' ? 0 : Math.max(0, LEAST_MS - tookMs);
      if (pauseMs > 0) await clock.sleep(pauseMs, signal);
    }
  }

  async #take(
    answer: Awaited<ReturnType<WantedSource['ask']>>,
  ): Promise<'taken' | 'nothing' | 'failed'> {
    switch (answer.kind) {
      case 'failed':
        this.#trouble('warn', `the server does not say it: ${answer.detail}`);
        return 'failed';
      case 'unchanged':
        if (this.#seenTag === this.#kept?.tag) this.#problem = null;
        else this.#remind();
        return 'nothing';
      case 'document':
        return this.consider(answer.text);
    }
  }

  /** Takes a document, or refuses it and goes on with the last good one. */
  async consider(text: string): Promise<'taken' | 'nothing' | 'failed'> {
    const { files, directory, diagnostics, onSet, token } = this.#deps;
    const read = readWanted(text, wantedKey(token()));
    if (read.kind === 'fault') {
      this.#refuse(read.fault, read.detail);
      // What it would have been cannot be told: it is asked for again.
      return 'failed';
    }
    this.#seenTag = read.tag;
    const judged = judgeWanted(read.set, this.#kept?.set);
    if (judged.kind === 'doubt') {
      this.#refuse(judged.doubt, judged.detail);
      return 'nothing';
    }
    this.#problem = null;
    this.#told = undefined;
    if (this.#kept?.tag === read.tag && this.#kept.set.version === read.set.version)
      return 'nothing';
    try {
      await keepWanted(files, directory, text);
    } catch (error) {
      diagnostics.alarm(
        'the wanted set could not be kept; a restart would begin with an older one',
        {
          error: String(error),
        },
      );
    }
    this.#kept = { set: read.set, tag: read.tag };
    diagnostics.info('wanted set', { version: read.set.version, streams: read.set.streams.length });
    onSet(read.set);
    return 'taken';
  }

  #refuse(why: WantedFault | WantedDoubt, detail: string): void {
    this.#refused += 1;
    const goesOn =
      this.#kept === undefined
        ? 'lines are spooled until a good one comes'
        : `version ${this.#kept.set.version} stays in force`;
    this.#trouble('alarm', `a wanted set was refused (${why}): ${detail}; ${goesOn}`);
  }

  #trouble(level: 'warn' | 'alarm', problem: string): void {
    this.#problem = problem;
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#told === problem && nowMs - this.#toldMs < REMIND_MS) return;
    this.#told = problem;
    this.#toldMs = nowMs;
    this.#deps.diagnostics[level]('wanted set', { problem });
  }

  /** What was not believed is still what the server says. */
  #remind(): void {
    if (this.#problem !== null) this.#trouble('alarm', this.#problem);
  }

  #pauseMs(): number {
    const most = Math.min(PAUSE_MS_MOST, PAUSE_MS * 2 ** Math.min(this.#failures, 10));
    return PAUSE_MS / 5 + this.#deps.random.fraction() * most;
  }
}
