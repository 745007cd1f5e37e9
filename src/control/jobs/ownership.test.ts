import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../lib/random.ts';
import { sealer } from '../secrets/sealing.ts';
import { challengePath } from './challenge-object.ts';
import { makeChallenge, provesOwnership } from './ownership.ts';
import type { Claim } from './ownership.ts';
import { runs } from '../../lib/testing/depth.ts';

const ours = sealer(Buffer.alloc(32, 1), seededRandom(1));
const claim: Claim = { scope: { kind: 'zone', id: 'z1' }, fingerprint: 'f00d' };
const EXPIRES = 1_000_000_000;
const token = makeChallenge(ours, claim, EXPIRES);

test('a challenge proves exactly the claim that it was made for, until it expires', () => {
  assert.match(token, /^[a-zA-Z0-9/+.\-_]+$/, 'it fits the field of a job');
  assert.equal(provesOwnership(ours, token, claim, EXPIRES - 1), true);
  assert.equal(provesOwnership(ours, token, claim, EXPIRES), false);
  const others: Claim[] = [
    { ...claim, fingerprint: 'f00e' },
    { ...claim, scope: { kind: 'zone', id: 'z2' } },
    { ...claim, scope: { kind: 'account', id: 'z1' } },
  ];
  for (const other of others) assert.equal(provesOwnership(ours, token, other, 0), false);
});

test('a challenge of another key, or one that was changed in any place, proves nothing', () => {
  const theirs = sealer(Buffer.alloc(32, 2), seededRandom(1));
  assert.equal(provesOwnership(theirs, token, claim, 0), false);
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom('A', '.', '_', ''), (at, put) => {
      const changed = token.slice(0, at) + put + token.slice(at + 1);
      assert.equal(provesOwnership(ours, changed, claim, 0), changed === token);
    }),
    { numRuns: runs(300) },
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.equal(provesOwnership(ours, text, claim, 0), false);
      assert.equal(provesOwnership(ours, `${text}.${token}`, claim, 0), false);
    }),
  );
});

test('the path of a challenge is the one below the bucket', () => {
  const day = Date.UTC(2026, 10, 23, 7);
  const pathOf = (conf: string) => challengePath(conf, 'c.txt', day);
  assert.equal(pathOf('s3://bucket?region=x'), 'c.txt');
  assert.equal(pathOf('s3://bucket/logs/dt={DATE}/?a=b/c'), 'logs/dt=20261123/c.txt');
  assert.equal(pathOf('s3://bucket/a%20b'), 'a b/c.txt');
  assert.equal(pathOf('file:///srv/logs/'), '/srv/logs/c.txt');
});
