import type { Place, Places, Trouble, Visitor } from './places.ts';

/** A job's seat at the place that its newest settings lead to. Taken when it first has something to send. */
export class Seat {
  readonly #places: Places;
  readonly #job: number;
  readonly #visitor: Visitor;
  readonly #key: () => string | undefined;
  #place: Place | undefined;

  /** @param key the place of the newest settings; see {@link Places.join} */
  constructor(places: Places, job: number, visitor: Visitor, key: () => string | undefined) {
    this.#places = places;
    this.#job = job;
    this.#visitor = visitor;
    this.#key = key;
  }

  place(): Place {
    return (this.#place ??= this.#places.join(this.#key()));
  }

  /** Whether only the place decides who may send a probe. */
  get isDown(): boolean {
    return this.#place?.isOpen ?? false;
  }

  get trouble(): Trouble | undefined {
    return this.#place?.trouble;
  }

  /** Asks to be called when it is this job's turn, or the place is back. */
  wait(): void {
    this.place().wait(this.#job, this.#visitor);
  }

  /** The job may not send for now. */
  standBack(): void {
    this.#place?.leave(this.#job);
  }

  /** The job's place is another from now on, or it has none any more. */
  leave(): void {
    if (this.#place) this.#places.leave(this.#place, this.#job);
    this.#place = undefined;
  }
}
