/** What a gzip body's sender has deflated goes on to the buffer, where that is all that it has to store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, crc32, gzipSync, inflateRawSync, zstdCompressSync } from 'node:zlib';
import { openDoor } from './testing.ts';

const GZIP = { 'Content-Encoding': 'gzip' };
const PATH = '/v1/ingest/zones/z1/http';
const LINES = Array.from({ length: 3_000 }, (_, n) => `{"n":${n},"path":"/${n * n}/index"}\n`).join(
  '',
);

test('a body goes on as it was deflated, with the sum that its sender made', async () => {
  // Also where the shard's thread leaves decompressing to the pool.
  await using door = await openDoor({ limits: { decompressedHereBytes: 0 } });
  for (const level of [2, 6, 9]) {
    door.appended.length = 0;
    const { status } = await door.post(PATH, gzipSync(LINES, { level }), GZIP);
    assert.equal(status, 200);
    const [{ lines, deflated, cuts } = {}] = door.appended;
    assert.ok(lines && deflated);
    assert.equal(lines.bytes.toString(), LINES);
    const flushed = { finishFlush: constants.Z_SYNC_FLUSH };
    assert.equal(inflateRawSync(deflated.fragment, flushed).toString(), LINES);
    assert.equal(deflated.crc, crc32(LINES));
    assert.equal(cuts, undefined);
  }
});

test('a body that is to be changed, was deflated in haste, is small, of several members or no gzip goes on as its lines alone', async () => {
  await using door = await openDoor();
  const named = gzipSync(LINES);
  const bodies: [string, Buffer, string?, string?][] = [
    ['without its last newline', gzipSync(LINES.slice(0, -1))],
    ['with a blank line', gzipSync(`\n${LINES}`)],
    ['with a bad line', gzipSync(`bad\n${LINES}`), `${PATH}?invalid=quarantine`],
    ['in haste', gzipSync(LINES, { level: 1 })],
    ['small', gzipSync(LINES.slice(0, LINES.indexOf('\n', 20_000) + 1))],
    ['two members', Buffer.concat([gzipSync(LINES), gzipSync(LINES)])],
    // A field that is optional: the file's name (RFC 1952, FNAME).
    [
      'named',
      Buffer.concat([named.fill(8, 3, 4).subarray(0, 10), Buffer.from('a\0'), named.subarray(10)]),
    ],
    ['zstd', zstdCompressSync(LINES), PATH, 'zstd'],
  ];
  for (const [what, body, path = PATH, coding = 'gzip'] of bodies) {
    door.appended.length = 0;
    const { status } = await door.post(path, body, { 'Content-Encoding': coding });
    assert.equal(status, 200, what);
    assert.equal(door.appended.length, 1, what);
    assert.equal(door.appended[0]!.deflated, undefined, what);
  }
});
