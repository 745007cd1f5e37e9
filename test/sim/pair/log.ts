import type { Details, Diagnostics } from '../../../src/lib/diagnostics.ts';

/** What the process's own log says when something of ours is broken, whatever comes from outside. */
const FAULTS = new Set([
  'ingest.fault',
  'lines of another shard could not be stored',
  'delivery.attempt.broke',
  'buffer.block_damaged',
  'buffer.lines_missing',
  'delivery.lines.corrupt',
]);

/** A log that remembers faults of our own. */
export class Log implements Diagnostics {
  readonly faults: string[] = [];

  debug(): void {}
  info(): void {}

  warn(event: string, details: Details = {}): void {
    this.#note(event, details);
  }

  error(event: string, details: Details = {}): void {
    this.#note(event, details);
  }

  alarm(event: string, details: Details = {}): void {
    this.#note(event, details);
  }

  with(): Diagnostics {
    return this;
  }

  #note(event: string, details: Details): void {
    if (FAULTS.has(event)) this.faults.push(`${event} ${JSON.stringify(details)}`);
  }
}
