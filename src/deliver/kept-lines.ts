/** Lines that are dropped by name and kept where their owner can fetch them. */
import { assert } from '../lib/assert.ts';
import type { JobConfig } from '../model/snapshot.ts';
import type { KeptLine } from './contract.ts';
import { cutLines } from './lines.ts';
import type { PreparedBatch, PrepareTools } from './prepare.ts';

/** Malformed lines of a batch. */
export function malformedLines(
  job: JobConfig,
  accounted: Pick<PreparedBatch, 'malformed'>,
): KeptLine[] {
  return accounted.malformed.map(({ offset, bytes }) => ({
    job: job.id,
    stream: job.stream,
    account: job.account,
    offset,
    bytes,
    reason: 'malformed',
    detail: 'The line is not JSON that the job’s filter or output options can look into.',
  }));
}

/**
 * A line that its receiver refuses, as it came.
 *
 * @param detail the receiver's answer in plain words
 * @returns undefined when it cannot be read now
 */
export async function rejectedLine(
  job: JobConfig,
  offset: number,
  detail: string,
  tools: Pick<PrepareTools, 'buffer' | 'inflate'>,
): Promise<KeptLine | undefined> {
  const read = await tools.buffer.read(job.stream, offset, 1);
  const block = read.kind === 'blocks' ? read.blocks[0] : undefined;
  if (!block) return undefined;
  const plain = await tools.inflate(block);
  const line = cutLines(plain, block.range.from, { from: offset, to: offset + 1 });
  if (!line) return undefined;
  return {
    job: job.id,
    stream: job.stream,
    account: job.account,
    offset,
    bytes: Buffer.from(line.subarray(0, -1)),
    reason: 'rejected_by_destination',
    detail,
  };
}

/**
 * Lines that their receiver refuses out of a batch that it took otherwise.
 *
 * @returns undefined when one of them cannot be read now
 */
export async function rejectedLines(
  job: JobConfig,
  offsets: readonly (number | undefined)[],
  detail: string,
  tools: Pick<PrepareTools, 'buffer' | 'inflate'>,
): Promise<KeptLine[] | undefined> {
  const lines: KeptLine[] = [];
  for (const offset of offsets) {
    assert(offset !== undefined, 'a sender names places of its own batch');
    const line = await rejectedLine(job, offset, detail, tools);
    if (!line) return undefined;
    lines.push(line);
  }
  return lines;
}
