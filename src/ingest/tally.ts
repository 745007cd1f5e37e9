/** Ingest's counters, in a fixed amount of memory. */
import type { ErrorCode } from '../model/errors.ts';
import type { StreamKey } from '../model/scope.ts';
import type { PartAnswer } from './answer.ts';

export class Tally {
  requests = 0;
  cut = 0;
  bodyBytes = 0;
  plainBytes = 0;
  acceptedLines = 0;
  acceptedBytes = 0;
  repeatedLines = 0;
  quarantinedLines = 0;
  unwantedLines = 0;
  readonly unwantedByStream = new Map<StreamKey, number>();
  readonly refusals = new Map<ErrorCode, number>();
  readonly #unwantedStreams: number;

  /** @param unwantedStreams streams whose unwanted lines are counted one by one */
  constructor(unwantedStreams: number) {
    this.#unwantedStreams = unwantedStreams;
  }

  refused(code: ErrorCode): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  part(part: PartAnswer): void {
    switch (part.kind) {
      case 'refused':
        return this.refused(part.refusal.code);
      case 'unwanted':
        return this.#unwanted(part.stream, part.lines);
      case 'accepted':
        this.quarantinedLines += part.quarantined;
        if (part.stored?.repeat) this.repeatedLines += part.lines;
        else {
          this.acceptedLines += part.lines;
          this.acceptedBytes += part.bytes;
        }
    }
  }

  #unwanted(stream: StreamKey, lines: number): void {
    this.unwantedLines += lines;
    const known = this.unwantedByStream.get(stream);
    if (known !== undefined || this.unwantedByStream.size < this.#unwantedStreams) {
      this.unwantedByStream.set(stream, (known ?? 0) + lines);
    }
  }
}
