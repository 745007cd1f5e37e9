/** Logpull over the real buffer: windows, content, bounds, and what is told when an answer cannot be whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inflateBlock } from '../buffer/index.ts';
import type { ShardBuffer } from '../buffer/index.ts';
import { request, STREAM, TestShard, texts } from '../buffer/testing.ts';
import { compileContent } from '../deliver/content/index.ts';
import { assert as insist } from '../lib/assert.ts';
import { silent } from '../lib/diagnostics.ts';
import { limits } from '../model/limits.ts';
import type { OutputOptions } from '../model/snapshot.ts';
import type { PullLimits, PullReader, PullRequest, RayRequest } from './contract.ts';
import { Puller } from './puller.ts';
import { pullReader } from './reader.ts';
import { runs } from '../lib/testing/depth.ts';

const NUMBERS: OutputOptions = { field_names: ['n'], timestamp_format: 'unixnano' };

function pullerOver(
  shard: TestShard,
  buffer: ShardBuffer,
  change: Partial<PullLimits> = {},
  reader: Partial<PullReader> = {},
): Puller {
  return new Puller({
    reader: { ...pullReader(buffer), ...reader },
    inflateBlock,
    encoderOf({ filter, outputOptions, dataset }, epoch) {
      const encoder = compileContent({ filter, outputOptions }, dataset, epoch);
      insist(encoder !== 'whole', 'times are written in one form');
      return encoder;
    },
    clock: shard.clock,
    diagnostics: silent,
    limits: { ...limits.pull, ...change },
  });
}

const wish = (startMs: number, endMs: number, more: Partial<PullRequest> = {}): PullRequest => ({
  stream: STREAM,
  startMs,
  endMs,
  outputOptions: NUMBERS,
  dataset: undefined,
  ...more,
});

async function textOf(puller: Puller, request: PullRequest): Promise<string> {
  const answer = await puller.received(request);
  assert.ok(answer.kind === 'lines', JSON.stringify(answer));
  const chunks: Buffer[] = [];
  for await (const chunk of answer.chunks) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const numbersIn = (text: string) => [...text.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, n) => from + n);

/** A shard with lines that came over some minutes, and where its time began. */
async function filled(appends = 30, each = 10) {
  const shard = new TestShard();
  const buffer = await shard.open();
  const begin = shard.clock.wall;
  for (let round = 0; round < appends; round++) {
    await buffer.append(request(texts(each, round * each, 60)));
    shard.clock.pass(1_000);
  }
  return { shard, buffer, begin, end: shard.clock.wall };
}

test('consecutive windows give each line exactly once, and the same window the same lines', async () => {
  const { shard, buffer, begin, end } = await filled();
  const puller = pullerOver(shard, buffer, { pageBytes: 700 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
      async (cuts) => {
        const bounds = [begin, ...cuts.map((cut) => begin + Math.round(cut * (end - begin))), end];
        bounds.sort((a, b) => a - b);
        const found: number[] = [];
        for (const [index, start] of bounds.slice(0, -1).entries()) {
          const window = wish(start, bounds[index + 1]!);
          const text = await textOf(puller, window);
          assert.equal(await textOf(puller, window), text);
          found.push(...numbersIn(text));
        }
        assert.deepEqual(found, upTo(300));
      },
    ),
    { numRuns: runs(30) },
  );
});

test('lines that came since do not change a window, nor does a restart', async () => {
  const { shard, buffer, begin } = await filled(5);
  const window = wish(begin, begin + 4_500);
  const text = await textOf(pullerOver(shard, buffer), window);
  assert.deepEqual(numbersIn(text), upTo(50));
  await buffer.append(request(texts(10, 50)));
  await buffer.close();
  const again = await shard.open();
  assert.equal(await textOf(pullerOver(shard, again), window), text);
});

test('count and sample take the same lines each time, count after sample', async () => {
  const { shard, buffer, begin, end } = await filled();
  const puller = pullerOver(shard, buffer, { pageBytes: 700 });
  assert.deepEqual(numbersIn(await textOf(puller, wish(begin, end, { count: 23 }))), upTo(23));
  const sampled = wish(begin, end, { outputOptions: { ...NUMBERS, sample_rate: 0.3 } });
  const all = numbersIn(await textOf(puller, sampled));
  assert.ok(all.length > 50 && all.length < 130, `${all.length} of 300`);
  assert.deepEqual(numbersIn(await textOf(puller, { ...sampled, count: 20 })), all.slice(0, 20));
});

test('a window whose lines are not there, or not yet, is not answered as if it were empty', async () => {
  const { shard, buffer, begin, end } = await filled();
  const puller = pullerOver(shard, buffer);
  assert.deepEqual(await puller.received(wish(begin, end + 1)), { kind: 'early' });
  const never = wish(begin, end, { stream: 'zones/z9/http_requests' });
  assert.deepEqual(await puller.received(never), { kind: 'unknown' });
  const gone = { window: async () => ({ kind: 'gone', sinceMs: 7 }) as const };
  assert.deepEqual(await pullerOver(shard, buffer, {}, gone).received(wish(begin, end)), {
    kind: 'gone',
    sinceMs: 7,
  });
  const silentShard = { window: () => Promise.reject(new Error('the shard is down')) };
  assert.deepEqual(await pullerOver(shard, buffer, {}, silentShard).received(wish(begin, end)), {
    kind: 'failed',
    detail: 'the shard is down',
  });
});

test('an answer that breaks off says so by its last line, and what came before are whole lines', async () => {
  const { shard, buffer, begin, end } = await filled();
  const whole = pullReader(buffer);
  let pages = 0;
  const reader = {
    page: (...args: Parameters<PullReader['page']>) =>
      ++pages > 3 ? Promise.reject(new Error('gone')) : whole.page(...args),
  };
  const text = await textOf(
    pullerOver(shard, buffer, { pageBytes: 700 }, reader),
    wish(begin, end),
  );
  assert.ok(text.endsWith('}\nError streaming data\n'));
  const found = numbersIn(text);
  assert.ok(found.length > 0);
  assert.deepEqual(found, upTo(found.length));
});

test('I10: damaged lines are left out, the others come, and the answer says that it is not whole', async () => {
  const { shard, buffer, begin, end } = await filled();
  const whole = pullReader(buffer);
  const reader: Partial<PullReader> = {
    async page(...args) {
      const read = await whole.page(...args);
      const [first] = read.kind === 'blocks' ? read.blocks : [];
      if (first?.range.from === 100) first.stored[3]! ^= 1;
      return read;
    },
  };
  const text = await textOf(
    pullerOver(shard, buffer, { pageBytes: 700 }, reader),
    wish(begin, end),
  );
  const found = numbersIn(text);
  assert.deepEqual(found, [...upTo(100), ...upTo(300, 110)]);
  assert.ok(text.endsWith('\nError streaming data\n'));
});

test('an answer ends at its bound of bytes or time, and says so', async () => {
  const { shard, buffer, begin, end } = await filled();
  const short = await textOf(pullerOver(shard, buffer, { answerBytes: 100 }), wish(begin, end));
  assert.ok(short.length < 400 && short.endsWith('\nError streaming data\n'), short);
  const answer = await pullerOver(shard, buffer, { pageBytes: 700 }).received(wish(begin, end));
  assert.ok(answer.kind === 'lines');
  await answer.chunks.next();
  shard.clock.pass(limits.pull.answerMs);
  let last = '';
  for await (const chunk of answer.chunks) last = chunk.toString();
  assert.equal(last, 'Error streaming data\n');
});

test('no more answers are made at once than allowed; one that is given up makes room', async () => {
  const { shard, buffer, begin, end } = await filled();
  const puller = pullerOver(shard, buffer, { answersPerStream: 2 });
  const first = await puller.received(wish(begin, end));
  const second = await puller.received(wish(begin, end));
  assert.deepEqual(await puller.received(wish(begin, end)), { kind: 'busy' });
  assert.ok(first.kind === 'lines' && second.kind === 'lines');
  await first.chunks.return();
  assert.equal((await puller.received(wish(begin, end))).kind, 'lines');
  assert.deepEqual(await puller.ray(ray('x')), { kind: 'busy' });
});

test('a zone and a token have so many requests a minute', async () => {
  const { shard, buffer } = await filled(1);
  const puller = pullerOver(shard, buffer, { requestsPerMinute: 2, requestsPerMinuteOfToken: 3 });
  assert.deepEqual(
    [1, 2, 3].map(() => puller.admit('z1', 't')),
    [true, true, false],
  );
  assert.deepEqual(
    [1, 2].map(() => puller.admit('z2', 't')),
    [true, false],
  );
  assert.ok(puller.admit('z2', 'other'));
  shard.clock.pass(60_000);
  assert.ok(puller.admit('z1', 't'));
});

const ray = (id: string, more: Partial<RayRequest> = {}): RayRequest => ({
  stream: STREAM,
  ray: id,
  startMs: null,
  endMs: null,
  outputOptions: NUMBERS,
  dataset: undefined,
  ...more,
});

/** Lines with a ray id each, twenty to an id, a minute between two appends. */
async function withRays() {
  const shard = new TestShard();
  const buffer = await shard.open();
  const begin = shard.clock.wall;
  for (let round = 0; round < 40; round++) {
    const lines = upTo(10).map((n) => `{"n":${round * 10 + n},"RayID":"r${round >> 1}"}`);
    await buffer.append(request([...lines, `{"n":-1,"Referer":"r${round >> 1}"}`]));
    shard.clock.pass(60_000);
  }
  return { shard, buffer, begin };
}

test('all lines of a ray are found, in their order, and only by the field that holds it', async () => {
  const { shard, buffer } = await withRays();
  const found = await pullerOver(shard, buffer, { rayStepLines: 7 }).ray(ray('r5'));
  assert.ok(found.kind === 'found');
  assert.deepEqual(numbersIn(found.lines.toString()), upTo(120, 100));
  const none = await pullerOver(shard, buffer).ray(ray('r'));
  assert.deepEqual(none, { kind: 'found', lines: Buffer.alloc(0) });
});

test('a look-up that meets its bound before it finds anything says how far it looked; a window leads further', async () => {
  const { shard, buffer, begin } = await withRays();
  const puller = pullerOver(shard, buffer, { rayBytes: 1_000, rayStepLines: 20 });
  const far = await puller.ray(ray('r1'));
  assert.ok(far.kind === 'unfinished');
  assert.ok(far.sinceMs > begin && far.sinceMs < shard.clock.wall);
  const near = await puller.ray(ray('r1', { startMs: begin, endMs: begin + 5 * 60_000 }));
  assert.ok(near.kind === 'found');
  assert.deepEqual(numbersIn(near.lines.toString()), upTo(40, 20));
  const newest = await puller.ray(ray('r19'));
  assert.ok(newest.kind === 'found');
  assert.deepEqual(numbersIn(newest.lines.toString()), upTo(400, 380));
});

test('a look-up ends some minutes before the oldest line that it found', async () => {
  const { shard, buffer } = await withRays();
  let read = 0;
  const whole = pullReader(buffer);
  const reader: Partial<PullReader> = {
    page: (...args) => {
      read++;
      return whole.page(...args);
    },
  };
  const puller = pullerOver(shard, buffer, { rayStepLines: 11, rayPastMs: 120_000 }, reader);
  const found = await puller.ray(ray('r18'));
  assert.ok(found.kind === 'found');
  assert.deepEqual(numbersIn(found.lines.toString()), upTo(380, 360));
  assert.ok(read < 12, `${read} readings of 40`);
});
