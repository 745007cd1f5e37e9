import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { LedgerEvent } from '../buffer/index.ts';
import { manualClock } from '../lib/clock-manual.ts';
import { silent as diagnostics } from '../lib/diagnostics.ts';
import { SimDisk } from '../lib/fs/sim.ts';
import { seededRandom } from '../lib/random.ts';
import { ARCHIVE_HEADER_BYTES, archiveFileName } from './archive-format.ts';
import { readArchive } from './archive-reader.ts';
import { openArchiveWriter } from './archive-writer.ts';
import { stride } from '../lib/test-depth.ts';

const EVENTS = 5;

async function archive() {
  const disk = new SimDisk({ random: seededRandom(1) });
  const files = disk.files();
  const writer = await openArchiveWriter({
    files,
    directory: '/archive',
    clock: manualClock(),
    diagnostics,
    fileBytes: 100_000,
    keepMs: 1e9,
  });
  writer.live();
  for (let n = 0; n < EVENTS; n += 1) {
    const event: LedgerEvent = {
      kind: 'accepted',
      stream: 'zones/z1/http_requests',
      epoch: '00000000000000aa',
      range: { from: n, to: n + 1 },
      // An hour of its own for each: neighbours of one hour are put together.
      hour: 483_000 + n,
      bytes: 100,
    };
    writer.record(event);
  }
  await writer.close();
  return { disk, files, path: `/archive/${archiveFileName(1)}` };
}

async function read({ files }: Awaited<ReturnType<typeof archive>>) {
  let [events, damaged] = [0, false];
  for await (const piece of readArchive(files, '/archive')) {
    events += piece.events.length;
    damaged ||= piece.damaged !== undefined;
  }
  return { events, damaged };
}

test('I10: a flipped bit anywhere in an archive file is told when it hides events, also one in a length', async () => {
  const whole = await archive();
  assert.deepEqual(await read(whole), { events: EVENTS, damaged: false });
  const size = whole.disk.content(whole.path)!.length;
  for (let at = ARCHIVE_HEADER_BYTES; at < size; at += stride()) {
    const mask = 1 << (at % 8);
    whole.disk.flip(whole.path, at, mask);
    const { damaged, events } = await read(whole);
    // Of the last frame nobody can tell decay of its length from a crash: what stood there comes again from the log.
    assert.ok(events >= EVENTS - 1 || damaged, `byte ${at}: ${events} events`);
    assert.ok(events < EVENTS);
    whole.disk.flip(whole.path, at, mask);
  }
});

test('an archive file that a crash cut anywhere is not called damaged', async () => {
  const cut = await archive();
  const size = cut.disk.content(cut.path)!.length;
  const file = await cut.files.open(cut.path, 'write');
  for (let bytes = size - 1; bytes >= ARCHIVE_HEADER_BYTES; bytes -= stride()) {
    await file.truncate(bytes);
    assert.equal((await read(cut)).damaged, false, `cut to ${bytes}`);
  }
  await file.close();
});
