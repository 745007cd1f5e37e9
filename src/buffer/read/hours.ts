import type { StreamEntry } from '../state/stream.ts';
import type { Locator } from './locate.ts';

/**
 * Makes a stream's hours known again from `from` on, out of the index: they are forgotten behind every cursor, and a job
 * that begins in the past needs them, because no batch may span two.
 *
 * @throws {ReadFailed} when the index cannot be read
 */
export async function recallHours(
  stream: StreamEntry,
  from: number,
  locator: Locator,
): Promise<void> {
  for (let until = stream.hoursFrom; from < until; until = stream.hoursFrom) {
    const blocks: { receivedMs: number; first: number; plainBytes: number }[] = [];
    let offset = from;
    while (offset < until) {
      const found = await locator.find(stream, offset);
      if (found.kind === 'block') {
        blocks.push(found.ref);
        offset = found.ref.first + found.ref.lines;
      } else offset = found.next;
    }
    // Somebody else has recalled some meanwhile.
    if (stream.hoursFrom !== until) continue;
    if (blocks.length > 0) stream.remindHours(blocks);
    return;
  }
}
