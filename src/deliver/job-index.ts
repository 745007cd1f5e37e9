/** Ids of jobs by stream. Most streams have one job, so one costs a number and no collection of its own. */
export class JobIndex {
  readonly #jobs = new Map<string, number | readonly number[]>();

  add(stream: string, job: number): void {
    const known = this.of(stream);
    if (known.includes(job)) return;
    this.#jobs.set(stream, known.length === 0 ? job : [...known, job]);
  }

  remove(stream: string, job: number): void {
    const left = this.of(stream).filter((id) => id !== job);
    if (left.length === 0) this.#jobs.delete(stream);
    else this.#jobs.set(stream, left.length === 1 ? left[0]! : left);
  }

  of(stream: string): readonly number[] {
    const known = this.#jobs.get(stream);
    if (known === undefined) return [];
    return typeof known === 'number' ? [known] : known;
  }
}
