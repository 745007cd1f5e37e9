/** What is wrong with a folder, in plain words, and the one thing that ends the look at it. */

/** Told one by one; a folder of noise must not fill memory or a terminal (I5). */
const TOLD = 1_000;

export class Findings {
  readonly #told: string[];
  readonly #prefix: string;

  constructor(told: string[] = [], prefix = '') {
    this.#told = told;
    this.#prefix = prefix;
  }

  /** The same list, for what lies in a folder: its name stands before each problem. */
  within(folder: string): Findings {
    return new Findings(this.#told, `${this.#prefix}${folder}/`);
  }

  add(problem: string): void {
    if (this.#told.length < TOLD) this.#told.push(`${this.#prefix}${problem}`);
    else this.#told[TOLD] = '... and more';
  }

  list(): readonly string[] {
    return this.#told;
  }
}

/** The folder was written by a later version: nothing about it may be guessed, so nothing is said of it. */
export class NewerFormat extends Error {
  override readonly name = 'NewerFormat';

  constructor(what: string, version: number) {
    super(`${what} has format version ${version}, which is newer than this Waybill reads`);
  }
}

/** A number of things, spelled out. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}
