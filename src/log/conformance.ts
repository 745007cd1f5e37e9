/** What every log must do; run by the tests of each implementation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AssertionError } from '../lib/assert.ts';
import type {
  AppendOutcome,
  LogRecord,
  Position,
  ReadOneOutcome,
  RecordParts,
  ShardLog,
} from './contract.ts';

/** A log under test, which may be opened again and again. */
export interface LogPlace {
  /** Opens it; whoever had it before is closed or fenced. */
  open(): Promise<ShardLog>;
}

export interface LogSuite {
  readonly name: string;
  /** The largest record that the logs under test take. At least 1 MiB. */
  readonly recordBytes: number;
  /** Calls with a fresh place and cleans up behind. */
  readonly withPlace: (use: (place: LogPlace) => Promise<void>) => Promise<void>;
}

const MIB = 1024 * 1024;

export function logConformance({ name, recordBytes, withPlace }: LogSuite): void {
  const claim = (text: string, use: (log: ShardLog, place: LogPlace) => Promise<void>): void => {
    test(`${name}: ${text}`, () =>
      withPlace(async (place) => {
        const log = await place.open();
        await use(log, place);
        await log.close();
      }));
  };

  claim('an empty log begins where it ends, and has nothing to read', async (log) => {
    assert.equal(log.start(), log.durableEnd());
    assert.deepEqual(await log.read(log.start(), 100), {
      kind: 'records',
      records: [],
      damage: [],
      next: log.durableEnd(),
    });
  });

  claim('records are read in the order of appending, byte for byte', async (log) => {
    const texts = Array.from({ length: 50 }, (_, index) => 'x'.repeat(index % 20) + index);
    await Promise.all(texts.map((text) => log.append([record(text)])));
    assert.deepEqual((await all(log)).map(textOf), texts);
  });

  claim('a record in parts is one record', async (log) => {
    await log.append([[Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')]]);
    assert.deepEqual((await all(log)).map(textOf), ['abc']);
  });

  claim('a group gets a position for each of its records, in order', async (log) => {
    const first = durable(await log.append([record('a'), record('bb'), record('ccc')]));
    const second = durable(await log.append([record('d')]));
    const records = await all(log);
    assert.deepEqual(
      records.map(({ position }) => position),
      [...first.positions, ...second.positions],
    );
    assert.equal(second.end, log.durableEnd());
    assert.ok(first.end <= second.positions[0]!);
  });

  claim('records lie one behind the other: ends and next positions meet', async (log) => {
    for (const text of ['a', 'bb', 'ccc']) await log.append([record(text)]);
    let position = log.start();
    for (const { position: at, end } of await all(log)) {
      assert.equal(at, position);
      assert.ok(end > at);
      position = end;
    }
    assert.equal(position, log.durableEnd());
  });

  claim('nothing is read before it is durable', async (log) => {
    const before = log.durableEnd();
    const appended = log.append([record('a')]);
    const early = await log.read(before, 100);
    assert.ok(early.kind === 'records');
    const frontier = log.durableEnd();
    assert.ok(early.records.every(({ end }) => end <= frontier));
    const { end } = durable(await appended);
    assert.equal(log.durableEnd(), end);
  });

  claim('reading goes on where it stopped, with at least one record each time', async (log) => {
    for (let index = 0; index < 20; index++) await log.append([record(`record ${index}`)]);
    for (const maxBytes of [1, 30, 10_000]) {
      const texts = (await all(log, maxBytes)).map(textOf);
      assert.deepEqual(
        texts,
        Array.from({ length: 20 }, (_, index) => `record ${index}`),
      );
    }
    const one = await log.read(log.start(), 1);
    assert.ok(one.kind === 'records' && one.records.length === 1);
  });

  claim('reading ends before a record that is not wanted', async (log) => {
    for (let index = 0; index < 20; index++) await log.append([record(`record ${index}`)]);
    const known = await all(log);
    for (const count of [1, 7, 19]) {
      const before = known[count]!.position;
      for (const bound of [before, (known[count - 1]!.position + 1) as Position]) {
        const read = await log.read(log.start(), 100_000, bound);
        assert.ok(read.kind === 'records');
        assert.deepEqual(read.records.map(textOf), known.slice(0, count).map(textOf));
        assert.equal(read.next, before);
      }
    }
  });

  claim('a reader at the end sees what comes later', async (log) => {
    durable(await log.append([record('a')]));
    const { next } = await records(log, log.start());
    assert.equal(next, log.durableEnd());
    durable(await log.append([record('b')], { roll: true }));
    durable(await log.append([record('c')]));
    const later = await records(log, next);
    assert.deepEqual(later.records.map(textOf), ['b', 'c']);
  });

  claim('one record is read by its position', async (log) => {
    const { positions } = durable(await log.append([record('a'), record('b'.repeat(40_000))]));
    for (const [index, text] of ['a', 'b'.repeat(40_000)].entries()) {
      const read = await log.readOne(positions[index]!);
      assert.ok(read.kind === 'record');
      assert.equal(textOf(read.record), text);
      assert.equal(read.record.position, positions[index]);
    }
  });

  claim('where no record begins, readOne gives none', async (log) => {
    durable(await log.append([record('a'.repeat(100))]));
    for (const position of [log.durableEnd(), log.durableEnd() + 1000, log.start() + 8]) {
      assert.equal((await log.readOne(position as Position)).kind, 'damaged');
    }
  });

  claim('many records read with one call are those that are read one by one', async (log) => {
    const positions: Position[] = [];
    for (let n = 0; n < 40; n += 1) {
      const group = [record('x'.repeat(n * 37)), record(`${n}`)].filter(
        ([part]) => part!.length > 0,
      );
      positions.push(...durable(await log.append(group, { roll: n % 9 === 0 })).positions);
    }
    // Neighbours, the same twice, lengths that are wrong in either direction, and places where none begins.
    const nowhere = [log.durableEnd(), log.durableEnd() + 1_000, positions[5]! + 8] as Position[];
    const places = [...positions, positions[3]!, ...nowhere].map((position, n) => {
      return { position, expectedBytes: (n * 331) % 2_000 };
    });
    const each = await log.readEach(places);
    for (const [n, { position }] of places.entries()) {
      assert.deepEqual(comparable(each[n]!), comparable(await log.readOne(position)));
    }
    assert.deepEqual(await log.readEach([]), []);
  });

  claim('a hint to roll changes nothing of what is read', async (log) => {
    for (let index = 0; index < 10; index++) {
      durable(await log.append([record(`${index}`)], { roll: index % 3 === 0 }));
    }
    assert.deepEqual(
      (await all(log)).map(textOf),
      Array.from({ length: 10 }, (_, index) => `${index}`),
    );
  });

  claim('trimming gives up a prefix and nothing else', async (log) => {
    const ends: Position[] = [];
    for (let index = 0; index < 10; index++) {
      ends.push(durable(await log.append([record(`${index}`)], { roll: true })).end);
    }
    const before = await all(log);
    assert.equal(await log.trimBefore(log.start()), log.start());
    assert.deepEqual((await all(log)).map(textOf), before.map(textOf));
    const start = await log.trimBefore(ends[4]!);
    assert.equal(start, log.start());
    assert.ok(start <= ends[4]! && start > 0, 'something went, and nothing too much');
    const kept = await all(log);
    assert.deepEqual(kept, before.slice(-kept.length));
    assert.ok(kept.length >= 5);
    assert.equal(kept[0]?.position, start);
    assert.deepEqual(await log.read(0 as Position, 100), { kind: 'trimmed', start });
    assert.deepEqual(await log.readOne(0 as Position), { kind: 'trimmed', start });
    const place = { position: 0 as Position, expectedBytes: 10 };
    assert.deepEqual(await log.readEach([place]), [{ kind: 'trimmed', start }]);
    assert.ok(log.stats().heldBytes > 0);
  });

  claim('trimming everything leaves a log that goes on', async (log) => {
    durable(await log.append([record('a')], { roll: true }));
    const start = await log.trimBefore(log.durableEnd());
    assert.ok(start <= log.durableEnd());
    const { positions } = durable(await log.append([record('b')]));
    const { records: left } = await records(log, start);
    assert.equal(left.at(-1)?.position, positions[0]);
  });

  claim('records of 1 MiB, and several of them in a group', async (log) => {
    const large = Array.from({ length: 3 }, (_, index) => Buffer.alloc(MIB, index + 65));
    durable(await log.append(large.map((bytes) => [bytes.subarray(0, 7), bytes.subarray(7)])));
    durable(await log.append([record('after')]));
    const read = await all(log);
    assert.equal(read.length, 4);
    for (const [index, bytes] of large.entries()) assert.ok(read[index]!.payload.equals(bytes));
  });

  claim('an empty group, an empty record and one too large are bugs of the caller', async (log) => {
    const attempts: RecordParts[][] = [
      [],
      [[]],
      [[Buffer.alloc(0)]],
      [record('a'), [Buffer.alloc(0)]],
      [[Buffer.alloc(recordBytes), Buffer.alloc(1)]],
    ];
    for (const group of attempts) {
      await assert.rejects(async () => log.append(group), AssertionError);
    }
    assert.equal(log.start(), log.durableEnd());
  });

  claim('opened again it has all that it had, and a greater epoch', async (log, place) => {
    for (let index = 0; index < 5; index++) {
      durable(await log.append([record(`${index}`), record('x')], { roll: index === 2 }));
    }
    const before = await all(log);
    const end = log.durableEnd();
    await log.close();
    const again = await place.open();
    assert.ok(again.epoch > log.epoch);
    assert.equal(again.durableEnd(), end);
    assert.deepEqual(await all(again), before);
    const { positions } = durable(await again.append([record('new')]));
    assert.ok(positions[0]! >= end);
    await again.close();
    const third = await place.open();
    assert.ok(third.epoch > again.epoch);
    assert.deepEqual((await all(third)).map(textOf), [...before.map(textOf), 'new']);
    await third.close();
  });

  claim('what was trimmed stays trimmed or comes back whole', async (log, place) => {
    for (let index = 0; index < 6; index++) await log.append([record(`${index}`)], { roll: true });
    const before = await all(log);
    const start = await log.trimBefore(before[3]!.position);
    await log.close();
    const again = await place.open();
    assert.equal(again.start(), start);
    const kept = await all(again);
    assert.deepEqual(kept, before.slice(-kept.length));
    await again.close();
  });

  claim('after closing every call answers fenced', async (log) => {
    const { positions } = durable(await log.append([record('a')], { roll: true }));
    durable(await log.append([record('b')]));
    const under = log.append([record('under way')]);
    await log.close();
    durable(await under);
    await log.close();
    assert.equal((await log.append([record('c')])).kind, 'fenced');
    assert.equal((await log.read(log.start(), 100)).kind, 'fenced');
    assert.equal((await log.readOne(positions[0]!)).kind, 'fenced');
    const place = { position: positions[0]!, expectedBytes: 10 };
    assert.deepEqual(await log.readEach([place]), [{ kind: 'fenced' }]);
    const start = log.start();
    assert.equal(await log.trimBefore(log.durableEnd()), start);
  });

  claim('the counters count', async (log) => {
    durable(await log.append([record('a'.repeat(1000))]));
    const stats = log.stats();
    assert.ok(stats.writtenBytes >= 1000 && stats.heldBytes >= 1000 && stats.segments >= 1);
    assert.equal(stats.failedSyncs, 0);
  });
}

/** A record of one part. */
export function record(text: string): RecordParts {
  return [Buffer.from(text)];
}

/** What two answers are compared by: bytes as text. */
function comparable(outcome: ReadOneOutcome): unknown {
  return outcome.kind === 'record'
    ? [outcome.record.position, outcome.record.end, textOf(outcome.record)]
    : outcome;
}

export function textOf({ payload }: LogRecord): string {
  return payload.toString();
}

/** The outcome, which must be durable. */
export function durable(outcome: AppendOutcome): AppendOutcome & { readonly kind: 'durable' } {
  assert.equal(outcome.kind, 'durable', JSON.stringify(outcome));
  assert.ok(outcome.kind === 'durable');
  return outcome;
}

/** Everything that can be read from the start on; there must be no damage. */
export async function all(log: ShardLog, maxBytes = 100_000): Promise<LogRecord[]> {
  const found: LogRecord[] = [];
  let position = log.start();
  while (position < log.durableEnd()) {
    const read = await records(log, position, maxBytes);
    assert.deepEqual(read.damage, []);
    assert.ok(read.next > position, 'reading gets on');
    found.push(...read.records);
    position = read.next;
  }
  return found;
}

async function records(log: ShardLog, from: Position, maxBytes = 100_000) {
  const read = await log.read(from, maxBytes);
  assert.ok(read.kind === 'records', JSON.stringify(read));
  return read;
}
