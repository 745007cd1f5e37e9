import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../lib/clock-manual.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { sampleSnapshot } from '../../ingest/testing.ts';
import { InForce } from './in-force.ts';

const STREAM = 'zones/z2/http';
const first: Snapshot = sampleSnapshot();
const second: Snapshot = {
  ...first,
  version: 2,
  jobs: [...first.jobs, { ...first.jobs[0]!, id: 9, stream: STREAM }],
};

/** A shard whose jobs are taken when the test says so. */
function shard() {
  const taking: { readonly jobs: number; readonly taken: () => void }[] = [];
  let delivery: { apply(jobs: readonly unknown[]): Promise<void> } | undefined;
  const inForce = new InForce({
    start: { shard: 0, shards: 1, snapshot: first },
    delivery: () => delivery,
    came() {},
    clock: manualClock(),
  });
  const open = () => {
    delivery = {
      apply: ({ length }) =>
        new Promise<void>((taken) => void taking.push({ jobs: length, taken })),
    };
  };
  return { inForce, taking, open };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a stream is wanted once its job is taken, and not before', async () => {
  const { inForce, taking, open } = shard();
  open();
  const applied = inForce.apply(second, []);
  await turn();
  assert.equal(inForce.wants(STREAM), false);
  taking[0]!.taken();
  await applied;
  assert.equal(inForce.wants(STREAM), true);
});

test('a configuration that comes while a start takes the one before is the last one in force', async () => {
  const { inForce, taking, open } = shard();
  open();
  const began = inForce.begin();
  await turn();
  const applied = inForce.apply(second, []);
  await turn();
  assert.equal(taking.length, 1, 'one after the other');
  taking[0]!.taken();
  await began;
  await turn();
  assert.equal(taking[1]?.jobs, second.jobs.length);
  taking[1].taken();
  await applied;
  assert.equal(inForce.snapshot.version, 2);
  assert.equal(inForce.wants(STREAM), true);
});

test('what came before a shard has opened what it keeps is what it begins with; an older one changes nothing', async () => {
  const { inForce, taking, open } = shard();
  await inForce.apply(second, []);
  open();
  const began = inForce.begin();
  await turn();
  assert.equal(taking[0]?.jobs, second.jobs.length);
  taking[0].taken();
  await began;
  await inForce.apply(first, []);
  assert.equal(inForce.snapshot.version, 2);
  assert.equal(inForce.wants(STREAM), true);
});
