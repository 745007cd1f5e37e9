import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { runs } from '../lib/testing/depth.ts';
import { openDoor } from './testing.ts';
import type { Lines, SummedCut } from '../buffer/index.ts';

const GZIP = { 'Content-Encoding': 'gzip' };
const WANTED = '/v1/ingest/zones/z1/http';
const UNWANTED = '/v1/ingest/zones/z2/http';
const LINE = `{"host":"one.example","path":"/${'a'.repeat(60)}"}\n`;
const LINES = LINE.repeat(1_000);

/** Packed so that its lines come out, but not those that the checksum is of. */
function withWrongSum(plain: string): Buffer {
  const packed = gzipSync(plain);
  packed[packed.length - 8]! ^= 1;
  return packed;
}

/** As a buffer does it: blocks of a few lines. */
function cutInFours(lines: Lines): SummedCut[] {
  const cuts: SummedCut[] = [];
  for (let from = 0; from < lines.ends.length; from += 4) {
    const to = Math.min(from + 4, lines.ends.length);
    const bytes = lines.bytes.subarray(from === 0 ? 0 : lines.ends[from - 1], lines.ends[to - 1]);
    cuts.push({ from, to, bytes, crc: crc32(bytes) });
  }
  return cuts;
}

test('I10 a body that is not what its checksum was made of is refused as a whole, whatever its lines are like', async () => {
  for (const cut of [undefined, cutInFours]) {
    await using door = await openDoor(cut && { deps: { cut } });
    for (const [what, plain] of [
      ['good', LINES],
      ['without its last newline', LINES.slice(0, -1)],
      ['with a blank line', `${LINE}\n${LINES}`],
      ['with blank ones at the end', `${LINES}\n\n`],
      ['with a bad one', `${LINE}bad\n${LINES}`],
      ['with a bad one at the end', `${LINES}bad\n`],
    ] as const) {
      for (const path of [WANTED, UNWANTED, `${WANTED}?invalid=quarantine`]) {
        const { status, json } = await door.post(path, withWrongSum(plain), GZIP);
        assert.deepEqual([status, json.error?.code], [400, 'encoding_broken'], `${what}, ${path}`);
      }
    }
    assert.equal(door.appended.length, 0);
    assert.equal(door.ingest.stats().quarantinedLines, 0);
  }
});

test('I10 the same of a body that is split', async () => {
  await using door = await openDoor();
  const by = '/v1/ingest/http?by=host';
  const good = await door.post(by, gzipSync(LINES), GZIP);
  assert.equal(good.json.accepted, 1_000);
  const { json } = await door.post(by, withWrongSum(LINES), GZIP);
  assert.equal(json.error?.code, 'encoding_broken');
  assert.equal(door.appended.length, 1);
});

test('lines come through as they would without compression, and with the sums of their pieces where nothing was changed', async () => {
  await using door = await openDoor({ deps: { cut: cutInFours } });
  const line = fc.constantFrom(LINE, '{"a":1}\n', '\n', ' \r\n', 'bad\n');
  const body = fc.record({
    head: fc.array(line, { maxLength: 4 }),
    tail: fc.array(line, { maxLength: 4 }),
    ended: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(body, async ({ head, tail, ended }) => {
      const all = [...head, LINES, ...tail].join('');
      const plain = ended ? all : all.slice(0, -1);
      door.appended.length = 0;
      const path = `${WANTED}?invalid=quarantine`;
      const asIs = await door.post(path, plain);
      const packed = await door.post(path, gzipSync(plain), GZIP);
      assert.equal(packed.json.accepted, asIs.json.accepted);
      assert.equal(packed.json.quarantined, asIs.json.quarantined);
      const [first, second] = door.appended;
      assert.deepEqual(second!.lines, first!.lines);
      const isUnchanged = second!.lines.bytes.equals(Buffer.from(plain));
      assert.equal((second!.cuts ?? second!.deflated) !== undefined, isUnchanged);
      const { bytes, ends } = second!.lines;
      for (const { from, to, crc } of second!.cuts ?? [])
        assert.equal(crc, crc32(bytes.subarray(ends[from - 1] ?? 0, ends[to - 1])));
    }),
    { numRuns: runs(30) },
  );
});
