/** What every log asks of the groups that it is given. */
import { assert } from '../lib/assert.ts';
import type { RecordParts } from './contract.ts';

/** A record's bytes, over all of its parts. */
export function recordLength(parts: RecordParts): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}

/**
 * The bytes that a group takes in the log.
 *
 * @param frameBytes a record's bytes in the log, given those of its payload
 * @throws {AssertionError} when the group or one of its records is empty, or a record is larger than `recordBytes`: the
 *   caller's bug, because blocks are cut to fit
 */
export function groupBytes(
  group: readonly RecordParts[],
  recordBytes: number,
  frameBytes: (payloadBytes: number) => number,
): number {
  assert(group.length > 0, 'a group has a record');
  let bytes = 0;
  for (const parts of group) {
    const length = recordLength(parts);
    assert(length > 0, 'a record has a byte');
    assert(length <= recordBytes, `a record has at most ${recordBytes} bytes`);
    bytes += frameBytes(length);
  }
  return bytes;
}
