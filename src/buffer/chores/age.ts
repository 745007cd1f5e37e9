import type { ShardState } from '../state/state.ts';
import type { StreamEntry } from '../state/stream.ts';

/** Lines age by the span that they lie in: the end of the stream's lines in spans sealed before a service time. */
export function sealedBefore(stream: StreamEntry, state: ShardState, serviceMs: number): number {
  let upTo = 0;
  for (let index = stream.released; index < stream.stretchCount; index += 1) {
    const stretch = stream.stretchAt(index);
    const span = state.spans.byId(stretch.span);
    if (span === undefined || span.sealedServiceMs > serviceMs) break;
    upTo = Math.max(upTo, stretch.end);
  }
  return upTo;
}
