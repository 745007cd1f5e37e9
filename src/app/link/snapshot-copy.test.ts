/** A snapshot that is sent by what changed is the very one that was meant, or the whole is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { manualClock } from '../../lib/clock-manual.ts';
import { silent } from '../../lib/diagnostics.ts';
import type { JobConfig, Snapshot } from '../../model/snapshot.ts';
import { Publication, Subscription } from './publication.ts';
import { SnapshotCopy } from './snapshot-copy.ts';
import { runs } from '../../lib/testing/depth.ts';

const job = (id: number, name: string): JobConfig => ({
  id,
  name,
  account: 'a',
  scope: { kind: 'zone', id: 'z' },
  dataset: 'd',
  stream: 'zones/z/d',
  enabled: true,
  destinationConf: `https://x/${id}`,
  filter: '',
  outputOptions: null,
  maxUploadBytes: 0,
  maxUploadRecords: 0,
  maxUploadIntervalMs: 0,
  contentVersion: 1,
  version: 1,
});

const id = fc.integer({ min: 1, max: 6 });
const snapshot = fc
  .record({
    accounts: fc.uniqueArray(fc.record({ id: id.map(String), name: fc.string() }), {
      selector: ({ id: key }) => key,
    }),
    jobs: fc.uniqueArray(fc.tuple(id, fc.string()), { selector: ([key]) => key }),
    zones: fc.uniqueArray(id.map(String)),
    datasets: fc.uniqueArray(fc.tuple(fc.constantFrom('account', 'zone'), id), {
      selector: (one) => one.join('/'),
    }),
    replays: fc.uniqueArray(id),
    tokens: fc.uniqueArray(id.map(String)),
  })
  .map(({ accounts, jobs, zones, datasets, replays, tokens }): Omit<Snapshot, 'version'> => ({
    accounts: accounts.map((one) => ({ ...one, ambientCredentials: false })),
    jobs: jobs.map(([key, name]) => job(key, name)),
    zones: zones.map((key) => ({ id: key, account: 'a', name: `${key}.example` })),
    datasets: datasets.map(([scope, key]) => ({
      id: String(key),
      scope: scope as 'account' | 'zone',
      fields: [],
      strict: false,
    })),
    replays: replays.map((key) => job(key, 'replay')),
    tokens: tokens.map((key) => ({ id: key, hash: key, scopes: 'all' as const })),
  }));

/** As it comes out of a message. */
const sent = <T>(value: T): T => structuredClone(value);

const inOrder = (one: Snapshot) => ({
  ...one,
  ...Object.fromEntries(
    Object.entries(one).flatMap(([name, list]) =>
      Array.isArray(list)
        ? [[name, list.map((item) => JSON.stringify(item)).toSorted()] as const]
        : [],
    ),
  ),
});

test('whatever changes, the other side ends with the same snapshot and the same checksum', () => {
  fc.assert(
    fc.property(fc.array(snapshot, { minLength: 2, maxLength: 6 }), (course) => {
      const [first, ...rest] = course.map((one, version): Snapshot => ({ version, ...one }));
      const here = new SnapshotCopy(first!);
      const there = new SnapshotCopy(sent(first!));
      for (const next of rest) {
        assert.ok(there.apply(sent(here.advance(next))));
        assert.equal(there.sum, here.sum);
        assert.equal(there.sum, new SnapshotCopy(next).sum);
        assert.deepEqual(inOrder(there.snapshot()), inOrder(next));
      }
    }),
    { numRuns: runs(200) },
  );
});

const small = (version: number, names: readonly string[]): Snapshot => ({
  version,
  accounts: [],
  zones: [],
  datasets: [],
  tokens: [],
  jobs: names.map((name, n) => job(n + 1, name)),
});

test('a change of one job among many sends that job alone', () => {
  const many = Array.from({ length: 1_000 }, (_, n) => `job${n}`);
  const before = small(1, many);
  const copy = new SnapshotCopy(before);
  const jobs = before.jobs.map((one) => (one.id === 500 ? { ...one, name: 'other' } : one));
  const delta = copy.advance({ ...before, version: 2, jobs });
  assert.deepEqual(delta.put, { jobs: [jobs[499]] });
  assert.deepEqual(delta.gone, {});
});

test('a shard that holds something else asks for the whole, and goes on by deltas from there', async () => {
  let inForce = small(1, ['a']);
  const calls: string[] = [];
  const subscription = new Subscription(() => inForce, manualClock());
  const publication = new Publication(
    {
      apply: async (whole) => {
        calls.push('whole');
        subscription.reset();
        inForce = sent(whole);
      },
      applyDelta: async (delta) => {
        calls.push('delta');
        const next = await subscription.next(sent(delta));
        if (!next) return 'whole';
        inForce = next;
        return 'applied';
      },
    },
    silent,
  );
  await publication.publish(small(2, ['a', 'b']), []);
  await publication.publish(small(3, ['a', 'c']), []);
  assert.deepEqual(calls.splice(0), ['whole', 'delta']);
  subscription.reset();
  inForce = small(3, ['a', 'decayed']);
  await publication.publish(small(4, ['d', 'c']), []);
  assert.deepEqual(calls.splice(0), ['delta', 'whole']);
  assert.deepEqual(inForce, small(4, ['d', 'c']));
  await publication.publish(small(5, ['d']), []);
  assert.deepEqual(calls, ['delta']);
  assert.deepEqual(
    inForce.jobs.map(({ name }) => name),
    ['d'],
  );
});

test('what a shard was started with is not sent again, and what changes next is sent as that', async () => {
  const calls: string[] = [];
  const started = small(7, ['a', 'b']);
  const subscription = new Subscription(() => sent(started), manualClock());
  const publication = new Publication(
    {
      apply: async () => void calls.push('whole'),
      applyDelta: async (delta) => {
        calls.push('delta');
        return (await subscription.next(sent(delta))) ? 'applied' : 'whole';
      },
    },
    silent,
    started,
  );
  await publication.publish(started, []);
  assert.deepEqual(calls, []);
  await publication.publish(small(8, ['a', 'c']), []);
  assert.deepEqual(calls, ['delta']);
});

test('a copy that is made in turns is the same, and lets others in after every so many objects', async () => {
  const whole = small(
    3,
    Array.from({ length: 500 }, (_, n) => `job${n}`),
  );
  let asked = 0;
  let turns = 0;
  const slices = { isDue: () => ++asked % 50 === 0, next: async () => void turns++ };
  const copy = await SnapshotCopy.inTurns(whole, slices);
  assert.equal(copy.sum, new SnapshotCopy(whole).sum);
  assert.deepEqual(copy.snapshot().jobs, whole.jobs);
  assert.equal(turns, 10);
});

test('a shard that did not take a snapshot gets the whole of the next one', async () => {
  const calls: string[] = [];
  let fails = false;
  const answer = async (name: string): Promise<void> => {
    calls.push(name);
    if (fails) throw new Error('the thread ended');
  };
  const publication = new Publication(
    {
      apply: () => answer('whole'),
      applyDelta: async () => {
        await answer('delta');
        return 'applied';
      },
    },
    silent,
  );
  await publication.publish(small(1, ['a']), []);
  fails = true;
  await assert.rejects(publication.publish(small(2, ['b']), []));
  fails = false;
  await publication.publish(small(3, ['c']), []);
  assert.deepEqual(calls, ['whole', 'delta', 'whole']);
});
