/** The look after each restart: what was answered is there, nothing else is, and all books say the same. */
import assert from 'node:assert/strict';
import { constants, crc32, inflateRawSync } from 'node:zlib';

import type { ShardBuffer, StoredBlock } from '../../src/buffer/index.ts';
import { checkFolder } from '../../src/check/check.ts';
import { readArchive } from '../../src/ledger/index.ts';
import type { FileSystem } from '../../src/lib/fs/file-system.ts';
import type { BookLine } from '../../src/model/check-report.ts';
import { settledLines } from '../../src/model/delivery.ts';
import { STREAMS } from './actions.ts';
import { followDecayed } from './decay.ts';
import type { ModelJob, Offer } from './model.ts';
import { DATA, SHARD } from './shard.ts';
import type { World } from './world.ts';

/** Lines from `from` on, up to the head; `null` where decay took one. Less than all when the disk does not answer. */
export async function readLines(
  buffer: ShardBuffer,
  name: string,
  from: number,
  bytes: number,
): Promise<(string | null)[]> {
  const found: (string | null)[] = [];
  for (let offset = from; ;) {
    const answer = await buffer.read(name, offset, bytes);
    if (answer.kind === 'end' || answer.kind === 'failed') return found;
    if (answer.kind === 'gap') {
      assert.equal(answer.range.from, offset);
      assert.ok(answer.range.to > offset, 'reading goes on');
      for (; offset < answer.range.to; offset += 1) found.push(null);
      continue;
    }
    for (const block of answer.blocks) {
      assert.ok(block.range.from <= offset && offset < block.range.to, 'blocks are consecutive');
      const lines = plainOf(block).toString().split('\n').slice(0, -1);
      assert.equal(lines.length, block.range.to - block.range.from);
      found.push(...lines.slice(offset - block.range.from));
      offset = block.range.to;
    }
  }
}

/** Blocks that were inflated before, by the checksum of what is in them: most are read again after each restart. */
const inflated = new Map<number, { readonly stored: Buffer; readonly plain: Buffer }>();
const MOST_INFLATED = 2_000;

/** In this thread: a history must run the same way each time. */
function plainOf({ codec, plainBytes, plainCrc, stored }: StoredBlock): Buffer {
  const before = inflated.get(plainCrc);
  const same = before?.plain.length === plainBytes && before.stored.equals(stored);
  if (codec !== 'raw' && same) return before.plain;
  const finishFlush = constants.Z_SYNC_FLUSH;
  const plain = codec === 'raw' ? stored : inflateRawSync(stored, { finishFlush });
  assert.ok(plain.length === plainBytes && crc32(plain) === plainCrc, 'a block inflates whole');
  if (codec !== 'raw') {
    if (inflated.size >= MOST_INFLATED) inflated.clear();
    inflated.set(plainCrc, { stored: Buffer.from(stored), plain });
  }
  return plain;
}

/** Reads a stream on, at any time: what comes is what was stored there. */
export async function readStream(
  world: World,
  name: string,
  from: number,
  bytes: number,
): Promise<void> {
  const found = await readLines(world.shard.buffer, name, from, bytes);
  const { lines } = world.model.stream(name);
  const to = Math.min(lines.length, from + found.length);
  if (!world.troubled) assert.ok(from + found.length >= lines.length, 'all of it can be read');
  for (let at = from; at < to; at += 1) {
    if (found[at - from] === null) world.lose(name, at);
    else assert.equal(found[at - from], lines[at], `${name} line ${at}`);
  }
}

/** Compares everything. Returns the offers that turn out not to have been stored. */
export async function compare(world: World): Promise<Offer[]> {
  const { model, shard } = world;
  const offers = model.doubts.filter((one): one is Offer => one.kind === 'append');
  const adopted = new Set<Offer>();
  const found = new Map<string, Lines>();
  for (const name of STREAMS) {
    const { head = 0, oldest = 0 } = shard.buffer.stream(name) ?? {};
    const texts = await readLines(shard.buffer, name, oldest, 3_000);
    assert.equal(texts.length, head - oldest, `${name} is read to its head`);
    found.set(name, { texts, oldest });
    for (const offer of follow(world, name, head, { texts, oldest })) adopted.add(offer);
  }
  for (const [id, job] of model.jobs) {
    if (job.closed && shard.buffer.job(id) === undefined) model.forget(id);
  }
  if (world.decayed) followDecayed(world);
  else {
    const ids = new Set([...model.jobs.keys(), ...[...shard.buffer.jobs()].map(({ job }) => job)]);
    for (const id of ids) model.followJob(id, shard.buffer.job(id));
  }
  model.doubts = [];
  for (const [name, lines] of found) compareLines(world, name, lines);
  for (const [id, job] of model.jobs) compareJob(world, id, job);
  if (!world.decayed) {
    assert.equal(shard.buffer.stats().corruptLines, 0, 'nothing decayed, nothing is corrupt');
    await compareArchive(world);
    await recount(world);
  }
  return offers.filter((offer) => !adopted.has(offer) && offer.identity !== undefined);
}

interface Lines {
  /** From `oldest` on; `null` where a line cannot be read. */
  readonly texts: readonly (string | null)[];
  readonly oldest: number;
}

/** Takes offers that were not answered and are there. From now on they are owed as all others. */
function follow({ model, shard, decayed }: World, name: string, head: number, lines: Lines) {
  const adopted = model.followStream(name, head, lines.texts, lines.oldest, decayed);
  const { serviceMs } = shard.buffer.stats();
  for (const { offer, range } of adopted) {
    const { identity, stream } = offer;
    if (identity === undefined) continue;
    model.known.push({ identity, stream, lines: offer.lines, range, serviceMs });
  }
  return adopted.map(({ offer }) => offer);
}

function compareLines(world: World, name: string, { texts, oldest }: Lines): void {
  const { model } = world;
  const { lines, seen } = model.stream(name);
  assert.ok(seen <= lines.length || world.decayed, `${name}: what was read once is still there`);
  for (const [index, text] of texts.entries()) {
    const at = oldest + index;
    if (text === null) world.lose(name, at);
    else assert.equal(text, lines[at], `${name} line ${at} has its own bytes`);
  }
  if (oldest > 0) world.seen.trimmed += 1;
  for (let at = 0; at < oldest && !world.decayed; at += 1) {
    assert.ok(
      !model.needed(name, at),
      `I3: ${name} line ${at} went although somebody waits for it`,
    );
  }
}

function compareJob({ model, shard }: World, id: number, job: ModelJob): void {
  const found = shard.buffer.job(id);
  assert.ok(found !== undefined, `job ${id} is known`);
  const { length } = model.stream(job.stream).lines;
  assert.equal(settledLines(found.totals), job.settled.size, `I2: job ${id}: totals`);
  const waiting = shard.buffer.waiting(id)!;
  assert.equal(
    waiting.lines + job.settled.size,
    length - job.start,
    `I2: job ${id}: accepted = settled + waiting`,
  );
  assert.deepEqual(sorted(waiting.byHour), sorted(model.waiting(job)), `I2: job ${id} by hour`);
}

interface Sums {
  readonly accepted: Map<string, number>;
  readonly heads: Map<string, number>;
  readonly bills: Map<number, { sequence: number; lines: number }>;
  refused: number;
}

/** Adds up the archive's files as the books do: what comes twice is known by its offset or number. */
async function sumArchive(files: FileSystem): Promise<Sums> {
  const sums: Sums = { accepted: new Map(), heads: new Map(), bills: new Map(), refused: 0 };
  let refusals = 0;
  // What a power cut left of a file's end cannot be told from damage: the events come again in the next file.
  for await (const { events } of readArchive(files, `${SHARD}/archive`)) {
    for (const event of events) {
      switch (event.kind) {
        case 'accepted': {
          const { from, to } = event.range;
          const head = sums.heads.get(event.stream) ?? 0;
          assert.ok(from <= head, 'accepted lines come without a gap');
          if (to <= head) break;
          const hour = `${event.stream} ${event.hour}`;
          sums.accepted.set(hour, (sums.accepted.get(hour) ?? 0) + to - head);
          sums.heads.set(event.stream, to);
          break;
        }
        case 'waybill': {
          const { job, sequence, counts } = event.waybill;
          const bills = sums.bills.get(job) ?? { sequence: 0, lines: 0 };
          if (sequence <= bills.sequence) break;
          assert.equal(sequence, bills.sequence + 1, `job ${job}: waybills come without a gap`);
          sums.bills.set(job, { sequence, lines: bills.lines + settledLines(counts) });
          break;
        }
        case 'refused':
          if (event.sequence <= refusals) break;
          refusals = event.sequence;
          for (const { lines } of event.entries) sums.refused += lines;
          break;
        case 'job':
          break;
      }
    }
  }
  return sums;
}

/** I2: the archive alone says the same as the model. */
async function compareArchive(world: World): Promise<void> {
  const { model, shard } = world;
  await shard.archive.flush();
  const sums = await sumArchive(world.files);
  const accepted = new Map<string, number>();
  for (const [name, { hours }] of model.streams) {
    for (const hour of hours) {
      accepted.set(`${name} ${hour}`, (accepted.get(`${name} ${hour}`) ?? 0) + 1);
    }
  }
  assert.deepEqual(sorted(sums.accepted), sorted(accepted), 'I2: the archive has each line once');
  for (const [id, job] of model.jobs) {
    const { sequence, lines } = sums.bills.get(id) ?? { sequence: 0, lines: 0 };
    const settled = job.before.lines + job.settled.size;
    assert.deepEqual([sequence, lines], [job.sequence, settled], `job ${id}: archive`);
  }
  assert.ok(sums.refused <= world.refusedLines, 'refusals are not invented');
}

/** The offline checker, which shares no code with the rooms, comes to the same books. */
async function recount(world: World): Promise<void> {
  const report = await checkFolder(world.files, DATA, { books: true });
  assert.ok(!('misuse' in report), JSON.stringify(report));
  // What a power cut tore off an archive file's end comes again in the next one: no loss, though it looks like damage.
  const torn = /^shards\/0\/archive\/\d+\.wba: no event can be read at byte/;
  assert.deepEqual(
    report.problems.filter((problem) => !torn.test(problem)),
    [],
  );
  for (const [id, job] of world.model.jobs) {
    // One that was forgotten and made anew has both lives in one line.
    if (job.before.sequence > 0) continue;
    const line: BookLine | undefined = report.books.find((book) => book.job === id);
    assert.ok(line !== undefined, `job ${id} is in the recount`);
    const { totals } = job;
    const waiting = [...world.model.waiting(job).values()].reduce((sum, lines) => sum + lines, 0);
    assert.deepEqual(
      [line.accepted, line.delivered, line.waiting, line.balanced],
      [settledLines(totals) + waiting, totals.delivered, waiting, true],
      `job ${id}: recount`,
    );
  }
}

function sorted<K, V>(map: ReadonlyMap<K, V>): [K, V][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
