/** The thread that prepares batches, as a shard has it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { crc32, gunzipSync } from 'node:zlib';
import { compileContent } from '../../deliver/index.ts';
import { manualClock } from '../../lib/clock-manual.ts';
import { systemClock } from '../../lib/clock.ts';
import { silent } from '../../lib/diagnostics.ts';
import { preparer } from './preparer.ts';

const LINES = Array.from({ length: 50 }, (_, n) => `{"n":${n},"more":"${'x'.repeat(n)}"}\n`);

function request() {
  const options = { field_names: ['n'] };
  const content = compileContent({ filter: '', outputOptions: options }, undefined, '00'.repeat(8));
  return { stream: 's', range: { from: 0, to: LINES.length }, pinned: true, content };
}

const plain = Buffer.from(LINES.join(''));

/** One block. @param plainCrc what its header says of it */
function bufferOf(plainCrc: number) {
  const block = {
    range: { from: 0, to: LINES.length },
    receivedMs: 1,
    plainBytes: plain.length,
    storedBytes: plain.length,
    codec: 'raw' as const,
    stored: plain,
    plainCrc,
  };
  return { read: async () => ({ kind: 'blocks' as const, blocks: [block] }) };
}

/** The niceness of this process's threads (proc(5)), lowest priority first. */
function niceness(): number[] {
  return readdirSync('/proc/self/task')
    .map((thread) => readFileSync(`/proc/self/task/${thread}/stat`, 'latin1'))
    .map((stat) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]))
    .toSorted((a, b) => b - a);
}

test('batches are prepared in a thread of lower priority than every other, made when it is needed (I6)', async () => {
  const intact = bufferOf(crc32(plain));
  const apart = preparer({ clock: systemClock, diagnostics: silent, silentMs: 60_000 });
  const before = process.platform === 'linux' ? niceness() : [];
  try {
    const made = await apart.prepare(request(), intact);
    assert.ok(made.kind === 'batch');
    const body = gunzipSync(Buffer.concat(made.member.parts)).toString();
    assert.equal(body, LINES.map((_, n) => `{"n":${n}}\n`).join(''));
    const damaged = await apart.prepare(request(), bufferOf(0));
    assert.ok(damaged.kind === 'nothing' && damaged.counts.dropped.corrupt === LINES.length);
    if (process.platform === 'linux') {
      const now = niceness();
      assert.equal(now.length > before.length, true);
      assert.ok(now[0]! > before[0]!, 'the new thread gives way');
      assert.equal(now[1], before[0], 'no other does');
    }
  } finally {
    await apart.close();
  }
  assert.equal((await apart.prepare(request(), intact)).kind, 'failed');
});

test('a thread that hangs is ended, its batches have failed and are tried again, and the next one has a new thread (I5)', async () => {
  const alarms: string[] = [];
  const clock = manualClock();
  const script = new URL(
    `data:text/javascript,import { parentPort } from 'node:worker_threads';
     parentPort.once('message', () => { for (;;); });`,
  );
  const diagnostics = { ...silent, alarm: (event: string) => void alarms.push(event) };
  const apart = preparer({ clock, diagnostics, silentMs: 60_000, script });
  try {
    for (let round = 1; round <= 2; round++) {
      const waiting = apart.prepare(request(), bufferOf(crc32(plain)));
      // It is told once its blocks are read.
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(59_000);
      assert.equal(alarms.length, round - 1, 'it may take its time');
      clock.advance(16_000);
      assert.equal(alarms.length, round);
      assert.deepEqual(await waiting, {
        kind: 'failed',
        detail: 'the thread that prepares batches ended',
      });
    }
  } finally {
    await apart.close();
  }
});
