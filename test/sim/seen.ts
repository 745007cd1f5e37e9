/** What a history has met: counts by which a run shows that it proved something. */

/** A run that met nothing proves nothing. */
export class Seen {
  steps = 0;
  deaths = 0;
  deathsInRecovery = 0;
  tornTails = 0;
  refused = 0;
  recordsFailed = 0;
  repeats = 0;
  resurrected = 0;
  checkpoints = 0;
  trimmed = 0;
  flips = 0;
  linesLost = 0;
  refusedStarts = 0;

  add(other: SeenCounts): void {
    for (const name of Object.keys(this) as (keyof SeenCounts)[]) this[name] += other[name];
  }
}

export type SeenCounts = Omit<Seen, 'add'>;
