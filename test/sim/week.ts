/** One dead job among many, for a simulated week at ten times the disk. */
import assert from 'node:assert/strict';

import { limits } from '../../src/model/limits.ts';
import { HOUR_MS, Rig } from './rig.ts';

const ROUNDS = 42;
const ROUND_HOURS = 4;

export async function deadJobWeek(options: {
  readonly jobs: number;
  readonly diskBytes: number;
}): Promise<void> {
  const { diskBytes, jobs } = options;
  const rig = new Rig({ diskBytes, segmentBytes: diskBytes / 64, archiveApart: true });
  await rig.open();
  const ids = Array.from({ length: jobs }, (_, id) => id);
  const streamOf = (id: number): string => `zones/z${id}/http_requests`;
  for (const id of ids) await rig.openJob(id, streamOf(id));
  const dead = 7;
  const requestBytes = Math.ceil((diskBytes * 10) / ROUNDS / jobs / 4);
  let most = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let part = 0; part < 4; part += 1) {
      const answers = await Promise.all(ids.map((id) => rig.append(streamOf(id), requestBytes)));
      assert.ok(answers.every(({ kind }) => kind === 'stored'));
      await Promise.all(ids.map(async (id) => (id === dead ? undefined : rig.settleNext(id))));
      // A server does this each second; a quarter of a day's lines come at once here.
      for (let second = 0; second < 3; second += 1) await rig.tend();
      most = Math.max(most, await bound(rig, dead, diskBytes));
      rig.clock.advance((ROUND_HOURS / 4) * HOUR_MS);
    }
  }
  const { head } = rig.buffer.stream(streamOf(dead))!;
  assert.equal(
    rig.buffer.waiting(dead)?.lines,
    head,
    'I3: the dead job still has all of its lines',
  );
  assert.ok(rig.buffer.stats().writtenBytes > diskBytes * 10, 'ten times the disk came through');
  assert.ok(most > diskBytes * 0.2, 'the holdback was made use of');
  for (const id of ids) if (id !== dead) assert.equal(rig.buffer.waiting(id)?.lines, 0);
  rig.disk.crash();
  await rig.open();
  assert.equal(rig.buffer.waiting(dead)?.lines, head);
}

/** Backlog, the share of the disk that holdback may have, and 15 % of both for what is between. */
async function bound(rig: Rig, dead: number, diskBytes: number): Promise<number> {
  const used = await rig.used();
  const backlog = rig.buffer.waiting(dead)?.bytes ?? 0;
  const allowed = (backlog + diskBytes * limits.buffer.holdbackShare) * 1.15;
  assert.ok(used < allowed, `${used} bytes are used, ${Math.floor(allowed)} may be`);
  return used;
}
