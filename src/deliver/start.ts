import type { JobStart, ShardBuffer } from '../buffer/index.ts';
import type { JobConfig } from '../model/snapshot.ts';

/**
 * Where a job begins when the buffer does not know it.
 *
 * @param triedAt where its stream stood when the buffer first failed to open it
 */
export function startOf(
  { replay, start, stream }: JobConfig,
  buffer: Pick<ShardBuffer, 'stream'>,
  triedAt: number | undefined,
): JobStart {
  if (replay) return { offset: replay.from, end: replay.to };
  // A place holds for one epoch: where the lines are others now, there is nothing to go back to.
  if (start && buffer.stream(stream)?.epoch === start.epoch) return { firstOffset: start.offset };
  return triedAt === undefined ? 'head' : { offset: triedAt };
}
