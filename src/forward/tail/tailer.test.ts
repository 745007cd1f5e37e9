import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { manualClock } from '../../lib/clock-manual.ts';
import { silent } from '../../lib/diagnostics.ts';
import { seededRandom } from '../../lib/random.ts';
import { forwardRoute } from '../route.ts';
import type { TextStore } from './registry.ts';
import { Tailer } from './tailer.ts';
import type { Source } from './contract.ts';
import { SimFiles, SimStore } from './testing.ts';
import { runs } from '../../lib/testing/depth.ts';

const SOURCE: Source = {
  name: 'app',
  paths: ['/logs/app*'],
  exclude: [],
  from: 'start',
  to: { kind: 'stream', stream: 'zones/z1/http_requests' },
};

/** A folder, a spool and a registry that outlive the tailers that are started on them. */
function world(source: Source = SOURCE) {
  const files = new SimFiles();
  const store = new SimStore();
  const clock = manualClock();
  const random = seededRandom(7);
  let kept: string | undefined;
  const registry: TextStore = {
    load: () => Promise.resolve(kept),
    save: (text) => {
      kept = text;
      return Promise.resolve();
    },
  };
  const start = async (): Promise<Tailer> => {
    const opened = await Tailer.open({
      sources: [source],
      files,
      registry,
      append: store.append,
      lastOf: store.lastOf,
      route: () => forwardRoute(undefined, undefined),
      canSort: () => true,
      clock,
      random,
      diagnostics: silent,
      limits: { files: 100, readBytes: 400, lineBytes: 100, pollMs: 250, scanMs: 2_000 },
    });
    if (typeof opened === 'string') throw new Error(opened);
    return opened;
  };
  const catchUp = async (tailer: Tailer): Promise<void> => {
    await tailer.scan();
    while (await tailer.read());
    await tailer.scan();
    while (await tailer.read());
  };
  return { files, store, clock, start, catchUp, spoil: (text: string) => (kept = text) };
}

const line = (n: number) => `{"n":${n},"t":"${'x'.repeat(n % 23)}"}\n`;
const numbers = (lines: readonly string[]) =>
  lines.map((text) => (JSON.parse(text) as { n: number }).n);

test('an unfinished last line waits for its end, and blank lines and holes are passed over', async () => {
  const { files, store, start, catchUp } = world();
  const tailer = await start();
  files.write('app.log', '{"n":1}\n\n  \n\u0000\u0000{"n":2}\n{"n"');
  await catchUp(tailer);
  assert.deepEqual(store.lines, ['{"n":1}', '{"n":2}']);
  files.write('app.log', ':3}\n');
  await catchUp(tailer);
  assert.deepEqual(store.lines.at(-1), '{"n":3}');
});

test('a file that is truncated and outgrows its old length is read anew', async () => {
  const { files, store, start, catchUp } = world();
  const tailer = await start();
  files.write('app.log', line(1) + line(2));
  await catchUp(tailer);
  files.truncate('app.log');
  files.write('app.log', line(31) + line(32) + line(33) + line(34));
  await catchUp(tailer);
  assert.deepEqual(numbers(store.lines), [1, 2, 31, 32, 33, 34]);
});

test('what was not read before copytruncate is read from the copy, once, also after a restart', async () => {
  for (const restarts of [false, true]) {
    const { files, store, start, catchUp } = world();
    let tailer = await start();
    files.write('app.log', line(1) + line(2));
    await catchUp(tailer);
    files.write('app.log', line(3));
    files.copy('app.log', 'app.log.1');
    files.truncate('app.log');
    files.write('app.log', line(4));
    if (restarts) tailer = await start();
    await catchUp(tailer);
    await catchUp(tailer);
    assert.deepEqual(
      numbers(store.lines).toSorted((a, b) => a - b),
      [1, 2, 3, 4],
    );
  }
});

test('a file that was renamed to where no pattern finds it is found again after a restart', async () => {
  const { files, store, start, catchUp } = world();
  await catchUp(await start());
  files.write('app.log', line(1));
  await catchUp(await start());
  files.write('app.log', line(2));
  files.rename('app.log', 'old-app.log');
  files.write('app.log', line(3));
  await catchUp(await start());
  assert.deepEqual(
    numbers(store.lines).toSorted((a, b) => a - b),
    [1, 2, 3],
  );
});

test('a line that is too long is cut, and the next one is whole', async () => {
  const { files, store, start, catchUp } = world();
  const tailer = await start();
  files.write('app.log', `${'a'.repeat(1_000)}\n${line(1)}{"b":"${'b'.repeat(150)}"}\n${line(2)}`);
  await catchUp(tailer);
  assert.deepEqual(
    store.lines.map(({ length }) => length),
    [99, line(1).length - 1, 99, line(2).length - 1],
  );
  assert.ok(tailer.stats().lostBytes > 900);
});

test('the unfinished last line of a removed file is a line', async () => {
  const { files, store, start, catchUp } = world();
  const tailer = await start();
  files.write('app.log', `${line(1)}{"n":2}`);
  await catchUp(tailer);
  files.remove('app.log');
  await catchUp(tailer);
  assert.deepEqual(numbers(store.lines), [1, 2]);
});

test('a stop reads a removed file to its end, also when it waits after a refusal, and tells what it could not store', async () => {
  const { files, store, start } = world();
  const tailer = await start();
  const many = Array.from({ length: 40 }, (_, n) => line(n)).join('');
  files.write('app.log', many);
  store.mood = 'refuses';
  await tailer.scan();
  await tailer.read();
  files.remove('app.log');
  store.mood = 'answers';
  await tailer.close();
  assert.deepEqual(
    numbers(store.lines),
    Array.from({ length: 40 }, (_, n) => n),
  );
  assert.equal(tailer.stats().lostBytes, 0);

  const refused = await start();
  files.write('app.log', many);
  await refused.scan();
  files.remove('app.log');
  store.mood = 'refuses';
  await refused.close();
  assert.equal(refused.stats().lostBytes, many.length);
});

test('`from: end` leaves out what was there at the very first start, and nothing later', async () => {
  const { files, store, start, catchUp } = world({ ...SOURCE, from: 'end' });
  files.write('app.log', line(1) + line(2).slice(0, 4));
  const tailer = await start();
  await catchUp(tailer);
  files.write('app.log', line(2).slice(4));
  files.write('app2.log', line(3));
  await catchUp(tailer);
  assert.deepEqual(
    numbers(store.lines).toSorted((a, b) => a - b),
    [2, 3],
  );
});

test('a damaged list of followed files is told, and nothing is read twice for it (I10)', async () => {
  const { start, spoil } = world();
  spoil('{"format":"waybill-followed/1","files":[{"ke');
  await assert.rejects(start(), /damaged/);
});

type Op =
  | { readonly op: 'write'; readonly lines: number; readonly torn: boolean }
  | {
      readonly op: 'rename' | 'copytruncate' | 'read' | 'restart' | 'die' | 'refuse' | 'wait';
    };

const anyOp: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('write' as const),
      lines: fc.integer({ min: 1, max: 8 }),
      torn: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constantFrom(
        'rename',
        'copytruncate',
        'read',
        'read',
        'restart',
        'die',
        'refuse',
        'wait',
      ),
    }),
  },
);

const rename: Op = { op: 'rename' };
const write: Op = { op: 'write', lines: 1, torn: false };

/** Histories that once failed. */
const FAILED: [Op[]][] = [
  // Rotated until removed, and stopped before it was read.
  [[write, rename, rename, rename, rename, { op: 'restart' }]],
];

test('over random writes, rotations, truncations, crashes and refusals each line is stored once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyOp, { maxLength: 40 }), async (ops) => {
      const { files, store, clock, start, catchUp } = world();
      let tailer = await start();
      let written = 0;
      /** Lines that only a process that then died could still read. */
      const gone = new Set<number>();
      let torn = '';
      const rotate = (into: (to: string) => void): void => {
        // The writer ends its line before; old ones move on, as logrotate does it.
        files.write('app.log', torn);
        torn = '';
        files.rename('app.log.2', 'app.log.3');
        files.rename('app.log.1', 'app.log.2');
        into('app.log.1');
      };
      for (const step of ops) {
        switch (step.op) {
          case 'write': {
            let text = torn;
            for (let n = 0; n < step.lines; n++) text += line(written++);
            const cut = step.torn ? Math.max(1, text.length - 5) : text.length;
            files.write('app.log', text.slice(0, cut));
            torn = text.slice(cut);
            break;
          }
          case 'rename':
            rotate((to) => files.rename('app.log', to));
            break;
          case 'copytruncate':
            rotate((to) => {
              files.copy('app.log', to);
              files.truncate('app.log');
            });
            break;
          case 'read':
            await tailer.scan();
            await tailer.read();
            break;
          case 'restart':
            await tailer.close();
            tailer = await start();
            break;
          case 'die':
            // What it was at is stored, and it never hears of it.
            store.mood = 'dies';
            await tailer.scan();
            void tailer.read();
            for (let turn = 0; turn < 50; turn++) await Promise.resolve();
            store.mood = 'answers';
            for (const n of numbers(files.removed().split('\n').filter(Boolean))) gone.add(n);
            tailer = await start();
            break;
          case 'refuse':
            store.mood = 'refuses';
            await tailer.scan();
            await tailer.read();
            store.mood = 'answers';
            break;
          case 'wait':
            clock.advance(200);
        }
        // Looked at before the next rotation: what is removed unseen nobody can read.
        await tailer.scan();
      }
      files.write('app.log', torn);
      clock.advance(10_000);
      await catchUp(tailer);
      await catchUp(tailer);
      const stored = numbers(store.lines).toSorted((a, b) => a - b);
      const has = new Set(stored);
      assert.deepEqual(
        stored,
        Array.from({ length: written }, (_, n) => n).filter((n) => has.has(n) || !gone.has(n)),
      );
    }),
    { numRuns: runs(300), examples: FAILED },
  );
});
