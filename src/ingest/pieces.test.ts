import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pieces } from './pieces.ts';

test('pieces of any size join to what came, ended by a newline', () => {
  const sizes = fc.array(fc.oneof(fc.nat(5), fc.nat(3_000)), { maxLength: 30 });
  fc.assert(
    fc.property(sizes, fc.boolean(), (lengths, ended) => {
      const input = lengths.map((length, index) => Buffer.alloc(length, 97 + (index % 26)));
      if (ended) input.push(Buffer.from('\n'));
      const pieces = new Pieces();
      for (const piece of input) pieces.push(Buffer.from(piece));
      const expected = Buffer.concat(input).toString();
      assert.equal(pieces.bytes, expected.length);
      const joined = pieces.joinLines().toString();
      assert.equal(joined, expected === '' || ended ? expected : `${expected}\n`);
      assert.equal(pieces.bytes, 0);
    }),
  );
});

test('single bytes are kept together', () => {
  const pieces = new Pieces();
  for (let index = 0; index < 10_000; index++) pieces.push(Buffer.from('x'));
  assert.ok(pieces.take().length <= 4);
});

test('a body in one piece is not copied', () => {
  const piece = Buffer.from('{}\n');
  const pieces = new Pieces();
  pieces.push(piece);
  assert.equal(pieces.joinLines(), piece);
});

test('joined pieces give their memory back at once, but nothing that others share', () => {
  const shared = Buffer.alloc(4_000, 'b');
  const own = Buffer.alloc(2_000, 'a');
  const view = shared.subarray(0, 2_000);
  const pieces = new Pieces();
  pieces.push(own);
  pieces.push(view);
  const joined = pieces.joinLines();
  assert.equal(joined.toString(), `${'a'.repeat(2_000)}${'b'.repeat(2_000)}\n`);
  assert.equal(own.buffer.byteLength, 0);
  assert.equal(shared.toString(), 'b'.repeat(4_000));
});
