/** Bytes of the log decay on disk, while the server is off and while it runs. */
import { closeSync, openSync, readSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { checkFiles, compareBooks } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { Scene, THREE } from './kit/scene.ts';
import { number, plural } from './kit/text.ts';

/** Lines in a block at most: what one flipped bit may cost. */
const BLOCK_LINES = 1_000;
const FLIPS = 12;

export const corruptSegment: Drill = {
  name: 'corrupt-segment',
  title: 'bytes of the log decay on disk',
  claim:
    'A flipped bit costs at most the block that it is in; the lines lost are counted and named in the ledger, none is delivered as data, an alarm tells of it, and all other lines arrive.',
  steps: [
    'the destination of one customer is away, so that its lines wait on disk',
    `the server is killed; one bit is flipped at ${FLIPS} places of its segments`,
    'it starts again; one more bit is flipped while it runs',
    'the destination comes back',
    'what is missing must be exactly what the ledger calls dropped: corrupt',
  ],
  atMostS: { full: 240, short: 150 },
  async run(stage) {
    const scene = await Scene.open(stage, { customers: THREE, linesPerBody: 40 });
    const { job } = scene.customer('alder');
    const destination = scene.receiver('alder');
    const log = join(scene.server.dataDir, 'shards', '0', 'log');
    scene.start();
    await destination.close();
    stage.broke('away', "nobody answers at alder's destination: its lines wait on disk");
    await stage.go({ full: 15, short: 6 });

    await scene.kill();
    flipBits(log, FLIPS);
    stage.broke(
      'decay',
      `the server is killed, one bit is flipped at ${FLIPS} places of its segments`,
    );
    await scene.restart();
    stage.saw('restarted', 'on the decayed files');
    await stage.go({ full: 5, short: 2 });
    flipBits(log, 1);
    stage.broke('decay', 'one more bit, while it runs');

    stage.phases.begin('back');
    await destination.open();
    stage.mended('back', "alder's destination takes batches again");
    await stage.go({ full: 5, short: 2 });
    await scene.endTraffic();
    const flips = FLIPS + 1;
    await stage.until(
      async () => (await scene.control.job(job)).status!.waitingLines === 0,
      60_000,
    );
    await scene.settle(flips * BLOCK_LINES);
    await compareBooks(scene);

    const missing = stage.counter.missing();
    stage.expect(
      'something was really lost, so that there was something to tell',
      missing > 0,
      plural(missing, 'line'),
    );
    stage.expect(
      `${flips} flipped bits cost at most a block each`,
      missing <= flips * BLOCK_LINES,
      `${number(missing)} of at most ${number(flips * BLOCK_LINES)} lines`,
    );
    stage.expect(
      'the server told of it by an alarm',
      /corrupt|damage|decay/i.test(scene.server.log),
      alarms(scene.server.log),
    );
    await scene.stop();
    const check = await checkFiles(scene.server.dataDir);
    stage.expect('waybill log check --books finds the damage', !check.good, check.said);
  },
};

/** Flips one bit at some places, evenly spread over the middle of a log's files. */
function flipBits(folder: string, places: number): void {
  const files = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .toSorted((a, b) => statSync(b).size - statSync(a).size);
  const path = files[0];
  if (path === undefined) throw new Error(`there are no files in ${folder}`);
  // Files are made larger than they are filled: what is beyond the data holds nothing to damage.
  const filled = lastByte(path);
  const file = openSync(path, 'r+');
  try {
    for (let place = 0; place < places; place += 1) {
      const at = Math.floor(filled * (0.1 + (0.7 * (place + Math.random())) / places));
      const byte = Buffer.alloc(1);
      readSync(file, byte, 0, 1, at);
      byte[0] = byte[0]! ^ 0x10;
      writeSync(file, byte, 0, 1, at);
    }
  } finally {
    closeSync(file);
  }
}

/** Where the last byte that is not zero stands. */
function lastByte(path: string): number {
  const { size } = statSync(path);
  const piece = Buffer.alloc(1 << 20);
  const file = openSync(path, 'r');
  try {
    for (let end = size; end > 0; end -= piece.length) {
      const start = Math.max(0, end - piece.length);
      const bytes = readSync(file, piece, 0, end - start, start);
      for (let at = bytes - 1; at >= 0; at -= 1) if (piece[at] !== 0) return start + at + 1;
    }
    return 0;
  } finally {
    closeSync(file);
  }
}

function alarms(log: string): string {
  const lines = log.split('\n').filter((line) => /"level":"alarm"|corrupt|damage/i.test(line));
  return lines.length === 0
    ? 'nothing in its log'
    : `${plural(lines.length, 'entry', 'entries')} in its log`;
}
