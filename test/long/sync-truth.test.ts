// The real server under strace: what it says was on stable storage before it said so.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { makeZones, portOf, postLines, startReceiver, until } from '../proof/rig.ts';
import { placesIn } from '../proof/segments.ts';
import type { LogPlaces } from '../proof/segments.ts';
import { readTrace, straceCommand, straceMissing } from '../proof/strace.ts';
import { checkSyncTruth } from '../proof/sync-truth.ts';
import type { SyncTruth } from '../proof/sync-truth.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';

const skip = straceMissing() ?? false;
const ZONES = ['z1', 'z2', 'z3'];

interface Run {
  readonly truth: SyncTruth;
  readonly places: LogPlaces;
  /** As the producers saw it: answers with 2xx, lines in them, other answers. */
  readonly answered: number;
  readonly lines: number;
  readonly refused: number;
  readonly calls: ReturnType<typeof readTrace>;
}

/** A server under strace takes bodies of several producers, repeats among them, and delivers. */
async function run(options: {
  bodies: number;
  inject?: readonly string[];
  /** What is read instead of the trace. */
  read?: (trace: string) => string;
}): Promise<Run> {
  const folder = await temporaryFolder('sync');
  const receiver = await startReceiver();
  const tracePath = join(folder.path, 'trace');
  const dataDir = join(folder.path, 'new', 'data');
  const server = await startServer({
    dataDir,
    under: straceCommand(tracePath, options.inject),
    flags: [
      ...LOCAL_DESTINATIONS,
      '--deliver-interval-ms',
      '300',
      '--buffer-segment-bytes',
      String(1 << 20),
    ],
  });
  let [answered, lines, refused] = [0, 0, 0];
  try {
    const token = await makeZones(
      server,
      ZONES.map((zone) => ({ account: `a${zone}`, zone, destination: `${receiver.url}/${zone}` })),
    );
    const producer = async (id: number) => {
      for (let n = 0; n < options.bodies; n++) {
        // Lines that do not shrink, so that segments fill.
        const body = Array.from(
          { length: n % 7 === 0 ? 300 : 1 + (n % 5) },
          (_, line) =>
            `{"id":"${id}-${n}-${line}","noise":"${randomBytes(300).toString('base64')}"}`,
        );
        const key = randomUUID();
        // Every fourth is sent twice, at once or one after the other: a repeat's answer rests on the first one's sync.
        const both = n % 4 === 0 ? 2 : 1;
        const zone = ZONES[(id + n) % ZONES.length]!;
        const answers = await Promise.all(
          Array.from({ length: both }, () => postLines(server, token, zone, body, key)),
        );
        for (const { status } of answers) {
          if (status === 200) {
            answered++;
            lines += body.length;
          } else refused++;
        }
      }
    };
    await Promise.all([1, 2, 3, 4].map(producer));
    await until('something is delivered', () => receiver.lines.size > 0);
  } finally {
    const code = await server.end('SIGTERM');
    receiver.close();
    assert.equal(code, 0, server.log());
  }
  const pid = server.child.pid!;
  await until('strace has written everything', async () =>
    new RegExp(`^${pid} +\\+\\+\\+ exited`, 'm').test(await readFile(tracePath, 'latin1')),
  );
  const { read = (trace) => trace } = options;
  const calls = readTrace(read(await readFile(tracePath, 'latin1')));
  const places = await placesIn(join(dataDir, 'shards', '0', 'log'));
  const truth = checkSyncTruth(calls, places, {
    ingest: portOf(server.ingestUrl),
    destination: receiver.port,
  });
  await folder.remove();
  return { truth, places, answered, lines, refused, calls };
}

test(
  'data, file names and folders are synced before the first byte of a 2xx, plans before the first byte of an attempt (I1, I7)',
  { skip },
  async (t) => {
    const { truth, places, answered, lines, refused } = await run({ bodies: 60 });
    assert.deepEqual(truth.lies, []);
    assert.equal(refused, 0);
    assert.equal(truth.answers, answered, 'every answer was found in the trace');
    assert.equal(truth.lines, lines);
    assert.ok(places.segments >= 3, `${places.segments} segments`);
    assert.ok(truth.attempts > 0);
    t.diagnostic(
      `${truth.answers} answers with ${truth.lines} lines and ${truth.attempts} attempts, over ${places.segments} segments`,
    );
  },
);

test(
  'after a failed synced write nothing is answered that was not synced elsewhere (I1)',
  { skip },
  async (t) => {
    const { truth, answered, refused, calls } = await run({
      bodies: 40,
      // Commits of lines as long as these are several buffers each; nothing else is written so. Counted by thread.
      inject: ['pwritev:error=EIO:when=3+5'],
    });
    const failed = calls.filter(({ name, error }) => name === 'pwritev' && error === 'EIO');
    assert.ok(failed.length >= 3, `${failed.length} synced writes failed`);
    assert.deepEqual(truth.lies, []);
    assert.equal(truth.answers, answered);
    assert.ok(answered > 0);
    t.diagnostic(`${failed.length} failed syncs, ${answered} answered, ${refused} refused`);
  },
);

test('a server whose writes do not sync is found out', { skip }, async () => {
  // Its writes sync because its segments were opened so: here it looks as if they were not.
  const { truth } = await run({ bodies: 6, read: (trace) => trace.replaceAll('|O_DSYNC', '') });
  assert.ok(truth.answers > 0 && truth.lies.length >= truth.answers, `${truth.lies.length} lies`);
});

test('a server that syncs no folder is found out', { skip }, async () => {
  const { truth } = await run({ bodies: 6, inject: ['fsync:retval=0'] });
  assert.ok(truth.answers > 0 && truth.lies.length >= truth.answers, `${truth.lies.length} lies`);
  assert.ok(truth.lies.every((lie) => lie.includes('its folder not synced')));
});
