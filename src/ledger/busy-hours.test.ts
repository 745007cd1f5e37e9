import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../lib/clock.ts';
import { silent } from '../lib/diagnostics.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import { runs } from '../lib/testing/depth.ts';
import { openArchiveWriter } from './archive-writer.ts';
import { openBooks } from './books.ts';

const files = nodeFileSystem();
const HOUR = 498_300;
const HOUR_MS = 3_600_000;
/** As customers may name their zones: what is asked for is handed over as JSON. */
const STREAMS = ['zones/a/x', 'zones/quote"/x', 'zones/back\\slash/x', 'zones/ü/x', 'zones/none/x'];

const EVENT = fc.record({
  stream: fc.constantFrom(...STREAMS.slice(0, -1)),
  epoch: fc.constantFrom('00000000000000aa', '00000000000000bb'),
  hour: fc.integer({ min: HOUR, max: HOUR + 4 }),
  lines: fc.integer({ min: 1, max: 50 }),
  bytes: fc.integer({ min: 1, max: 5_000 }),
});

test('a stream’s busiest hour is that of the most lines over all its lives, as adding up says', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(EVENT, { maxLength: 30 }),
      fc.subarray(STREAMS),
      fc.integer({ min: 0, max: 5 }),
      async (events, asked, sinceHours) => {
        const folder = await mkdtemp(join(tmpdir(), 'waybill-busy-'));
        const archive = await openArchiveWriter({
          files,
          directory: join(folder, 'archive'),
          clock: systemClock,
          diagnostics: silent,
          fileBytes: 1 << 20,
          keepMs: 1e9,
        });
        const heads = new Map<string, number>();
        const sums = new Map<string, { lines: number; bytes: number }>();
        for (const { stream, epoch, hour, lines, bytes } of events) {
          const life = `${stream} ${epoch}`;
          const from = heads.get(life) ?? 0;
          heads.set(life, from + lines);
          const range = { from, to: from + lines };
          archive.record({ kind: 'accepted', stream, epoch, range, hour, bytes });
          const sum = sums.get(`${stream} ${hour}`) ?? { lines: 0, bytes: 0 };
          sums.set(`${stream} ${hour}`, { lines: sum.lines + lines, bytes: sum.bytes + bytes });
        }
        await archive.close();
        const books = await openBooks({
          files,
          archives: [join(folder, 'archive')],
          path: join(folder, 'books.db'),
          diagnostics: silent,
        });
        await books.catchUp();
        const busy = books.busyHours(asked, (HOUR + sinceHours) * HOUR_MS);
        for (const stream of STREAMS) {
          const hours = [0, 1, 2, 3, 4].filter((hour) => hour >= sinceHours);
          const all = hours.flatMap((hour) => sums.get(`${stream} ${HOUR + hour}`) ?? []);
          const most = Math.max(0, ...all.map(({ lines }) => lines));
          const told = busy.get(stream);
          if (!asked.includes(stream) || most === 0) assert.equal(told, undefined);
          else assert.ok(all.some((sum) => sum.lines === most && sum.bytes === told?.bytes));
          assert.equal(told?.lines ?? 0, asked.includes(stream) ? most : 0);
        }
        books.close();
        await rm(folder, { recursive: true });
      },
    ),
    { numRuns: runs(60) },
  );
});
