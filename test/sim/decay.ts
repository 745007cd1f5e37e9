/** After decay the model follows what is left, as far as the damage may go: one block a flip, and never a wrong line. */
import assert from 'node:assert/strict';

import type { JobState } from '../../src/buffer/index.ts';
import { settledLines } from '../../src/model/delivery.ts';
import { ModelJob } from './model.ts';
import type { World } from './world.ts';

export function followDecayed(world: World): void {
  const { model, shard } = world;
  const ids = new Set([...model.jobs.keys(), ...[...shard.buffer.jobs()].map(({ job }) => job)]);
  for (const id of ids) {
    const found = shard.buffer.job(id);
    if (found === undefined) {
      // It stands twice: one flip does not lose it.
      assert.ok(world.seen.flips > 1, `job ${id} outlives one flipped bit`);
      model.jobs.delete(id);
      continue;
    }
    const before = model.jobs.get(id);
    const after = jobOf(found, before?.before ?? model.former.get(id)?.end);
    const { length } = model.stream(found.stream).lines;
    assert.ok(found.cursor <= length, `job ${id} does not stand behind its stream's head`);
    assert.equal(settledLines(found.totals), after.settled.size, `job ${id}: totals and ranges`);
    const doubted = model.doubts.some((one) => one.kind === 'job' && one.job === id);
    if (before !== undefined && !doubted) {
      for (const at of after.settled) {
        assert.ok(before.settled.has(at), `job ${id}: line ${at} was never settled`);
      }
    }
    model.jobs.set(id, after);
  }
}

function jobOf(found: JobState, before: ModelJob['before'] | undefined): ModelJob {
  const job = new ModelJob(found.stream, found.start, undefined, before);
  for (let at = found.start; at < found.cursor; at += 1) job.settled.add(at);
  for (const { from, to } of found.settled)
    for (let at = from; at < to; at += 1) job.settled.add(at);
  job.open = found.open;
  job.sequence = found.sequence;
  job.totals = found.totals;
  job.closed = found.closedMs !== null;
  return job;
}
