import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeFileSystem } from '../../lib/fs/node.ts';
import { seededRandom, systemRandom } from '../../lib/random.ts';
import { keyFromFile } from './key-file.ts';
import { sealer } from './sealing.ts';
import { runs } from '../../lib/testing/depth.ts';

const key = Buffer.alloc(32, 7);

test('a sealed secret opens to what it was, and holds nothing of it in clear', () => {
  const seals = sealer(key, systemRandom);
  fc.assert(
    fc.property(fc.string({ minLength: 12, maxLength: 200, unit: 'binary' }), (secret) => {
      const sealed = seals.seal('job-1', 3, secret);
      assert.equal(seals.open(sealed), Buffer.from(secret).toString());
      assert.equal(Buffer.from(sealed.sealed, 'base64').includes(Buffer.from(secret)), false);
    }),
    { numRuns: runs(50) },
  );
});

test('a sealed secret does not open under another id, version or key, nor with any bit flipped', () => {
  const seals = sealer(key, seededRandom(1));
  const sealed = seals.seal('job-1', 3, 'the secret');
  assert.equal(seals.open({ ...sealed, id: 'job-2' }), undefined);
  assert.equal(seals.open({ ...sealed, version: 2 }), undefined);
  assert.equal(sealer(Buffer.alloc(32, 8), systemRandom).open(sealed), undefined);
  const other = sealer(Buffer.alloc(32, 8), systemRandom);
  assert.equal(other.open({ ...sealed, keyId: other.keyId }), undefined);
  const whole = Buffer.from(sealed.sealed, 'base64');
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    assert.equal(seals.open({ ...sealed, sealed: bytes.toString('base64') }), undefined);
  }
  assert.equal(seals.open({ ...sealed, sealed: 'AAAA' }), undefined);
});

test('the same secret sealed twice looks different', () => {
  const seals = sealer(key, systemRandom);
  assert.notDeepEqual(seals.seal('a', 1, 'x').sealed, seals.seal('a', 1, 'x').sealed);
});

test('the key file is made once, for its owner alone, and read again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-key-'));
  const path = join(directory, 'secrets.key');
  const files = nodeFileSystem();
  try {
    assert.deepEqual(await keyFromFile(files, path, systemRandom, false), { kind: 'missing' });
    const made = await keyFromFile(files, path, systemRandom, true);
    assert.ok(made.kind === 'key' && made.created && made.key.length === 32);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const again = await keyFromFile(files, path, systemRandom, true);
    assert.ok(again.kind === 'key' && !again.created);
    assert.deepEqual(again.key, made.key);
    writeFileSync(path, readFileSync(path).subarray(0, 31));
    const short = await keyFromFile(files, path, systemRandom, true);
    assert.ok(short.kind === 'unreadable' && short.detail.includes(path));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
