/** What was done and what was seen, with the time since the start. */

/**
 * `did`: an ordinary step. `broke`: a trouble that the drill made. `mended`: it was taken away. `saw`: what the product did or
 * said. `skipped`: a part that was not run.
 */
export type EventKind = 'did' | 'broke' | 'mended' | 'saw' | 'skipped';

export interface TimelineEvent {
  readonly atS: number;
  readonly kind: EventKind;
  readonly what: string;
  readonly detail: string;
}

/** More than any drill has; a loop that tells each turn must not fill the memory. */
const EVENTS = 5_000;

export class Timeline {
  readonly events: TimelineEvent[] = [];
  readonly #startMs = performance.now();
  readonly #show: (event: TimelineEvent) => void;

  constructor(show: (event: TimelineEvent) => void) {
    this.#show = show;
  }

  get seconds(): number {
    return (performance.now() - this.#startMs) / 1_000;
  }

  add(kind: EventKind, what: string, detail: string): void {
    if (this.events.length >= EVENTS) return;
    const event = { atS: Math.round(this.seconds * 10) / 10, kind, what, detail };
    this.events.push(event);
    this.#show(event);
  }
}
