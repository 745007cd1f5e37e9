/** Finds lines by the time that they were received at: reception never goes back in a stream, so halving finds it. */
import type { OffsetAt } from '../contract.ts';
import type { StreamEntry } from '../state/stream.ts';
import type { Locator } from './locate.ts';

/**
 * @param replayableSinceMs reception from which nothing at all was given up; null: nothing is known of that. It rests on the
 *   wall clock going forward over the whole shard, where everything else here rests on the stream alone
 * @throws {ReadFailed} when the index cannot be read
 */
export async function offsetAt(
  stream: StreamEntry,
  receivedMs: number,
  locator: Locator,
  replayableSinceMs: number | null,
): Promise<OffsetAt> {
  const head = stream.head;
  let low = stream.oldest;
  let high = head;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    const block = await blockFrom(stream, middle, high, locator);
    // Lines that the index has lost count to what lies behind them.
    if (block === undefined) high = middle;
    else if (block.receivedMs >= receivedMs) high = Math.min(block.first, middle);
    else low = block.first + block.lines;
  }
  const offset = Math.min(low, head);
  if (offset > stream.oldest || stream.oldest === 0) return { kind: 'offset', offset };
  // What lay before the oldest line that is left was received no later than that one, and no later than what of the log
  // was given up: whether before or after the time asked for, cannot be told.
  const next = await blockFrom(stream, offset, head, locator);
  const oldestMs = next?.receivedMs ?? stream.lastReceivedMs;
  const goneUntilMs = Math.min(oldestMs, replayableSinceMs ?? Infinity);
  return receivedMs > goneUntilMs
    ? { kind: 'offset', offset }
    : { kind: 'gone', sinceMs: goneUntilMs + 1 };
}

interface Block {
  readonly first: number;
  readonly lines: number;
  readonly receivedMs: number;
}

/** The block that holds the offset, or the next one behind it that begins before `to`. */
async function blockFrom(
  stream: StreamEntry,
  offset: number,
  to: number,
  locator: Locator,
): Promise<Block | undefined> {
  let at = offset;
  while (at < to) {
    const found = await locator.find(stream, at);
    if (found.kind === 'block') return found.ref;
    at = found.next;
  }
  return undefined;
}
