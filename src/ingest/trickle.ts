/**
 * Bodies that are only counted or thrown away are read in a share of the thread's time, however many there are and however
 * fast they come: the rest of it belongs to lines that somebody wants, to deliveries and to whoever asks (I6).
 *
 * After a turn of the event loop in which some of them were read, none is for as long as makes up for it. Nothing is read from
 * their sockets then, so that their senders are slowed by TCP itself, at no cost to anybody.
 */
import type { Readable } from 'node:stream';
import type { Clock } from '../lib/clock.ts';

/** What a trickle needs of a body. */
export type Flowing = Pick<Readable, 'on' | 'off' | 'pause' | 'resume' | 'read'>;

/** For how long they are read in one turn of the event loop, and for how long none is at most. */
const TURN_MS = 4;
const MOST_PAUSE_MS = 50;
/** Shorter pauses are put together: timers have steps of a millisecond. */
const LEAST_PAUSE_MS = 1;

export class Trickle {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly #pausePerMs: number;
  /** Those that came first are read first: the others are what is paused when the turn is over. */
  readonly #bodies = new Set<Flowing>();
  /** When the first piece of this turn of the event loop came. */
  #turnFromMs: number | undefined;
  #owedMs = 0;
  #isPaused = false;

  /** @param share of the thread's time, above 0 and below 1 */
  constructor(clock: Pick<Clock, 'monotonicMs' | 'after'>, share: number) {
    this.#clock = clock;
    this.#pausePerMs = 1 / share - 1;
  }

  /** Lets a body flow in its turns, until it ends. Harmless when called twice. */
  follow(body: Flowing): void {
    if (!this.#bodies.has(body)) {
      this.#bodies.add(body);
      const saw = () => this.#saw();
      const end = () => {
        this.#bodies.delete(body);
        body.off('data', saw).off('end', end).off('close', end);
      };
      // Before a listener makes it flow.
      if (this.#isPaused) body.pause();
      body.on('data', saw).on('end', end).on('close', end);
    }
    if (!this.#isPaused) body.resume();
    // So that node:http knows that it is being read, and does not throw all of it away when its answer is out.
    else body.read(0);
  }

  #saw(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#turnFromMs === undefined) {
      this.#turnFromMs = nowMs;
      setImmediate(() => this.#turnEnds());
    } else if (!this.#isPaused && nowMs - this.#turnFromMs >= TURN_MS) this.#pause();
  }

  #turnEnds(): void {
    const spentMs = this.#clock.monotonicMs() - (this.#turnFromMs ?? 0);
    this.#turnFromMs = undefined;
    this.#owedMs += spentMs * this.#pausePerMs;
    if (this.#owedMs < LEAST_PAUSE_MS) return;
    if (!this.#isPaused) this.#pause();
    this.#clock.after(Math.min(this.#owedMs, MOST_PAUSE_MS), () => this.#goOn());
    this.#owedMs = 0;
  }

  #pause(): void {
    this.#isPaused = true;
    for (const body of this.#bodies) body.pause();
  }

  #goOn(): void {
    this.#isPaused = false;
    for (const body of this.#bodies) body.resume();
  }
}
