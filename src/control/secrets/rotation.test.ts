/** The key that seals secrets is replaced while everything goes on, and a crash at any point leaves all that is needed. */
import assert from 'node:assert/strict';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { idleDataPlane, S3, startControl, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';
import { systemClock } from '../../lib/clock.ts';
import { silent } from '../../lib/diagnostics.ts';
import { nodeFileSystem } from '../../lib/fs/node.ts';
import { seededRandom, systemRandom } from '../../lib/random.ts';
import { openControl } from '../index.ts';
import type { Control } from '../index.ts';
import { openKeys } from './key-keeper.ts';
import type { KeySource } from './key-keeper.ts';
import { keyIdOf, sealer } from './sealing.ts';

const OTHER = S3.replace('MARKERsecretMARKER', 'NEWERsecretNEWER');

const keyIdIn = (path: string): string => keyIdOf(readFileSync(path));

function everyFile(
  directory: string,
): readonly { readonly name: string; readonly bytes: Buffer }[] {
  return (readdirSync(directory, { recursive: true }) as string[])
    .filter((name) => !statSync(join(directory, name)).isDirectory())
    .map((name) => ({ name, bytes: readFileSync(join(directory, name)) }));
}

async function withJob(): Promise<TestControl> {
  const server = await startControl();
  await withScopes(server);
  const body = { destination_conf: S3, enabled: true };
  await server.call('POST', '/client/v4/zones/z1/logpush/jobs', { body });
  await server.call('PUT', '/client/v4/zones/z1/logpush/jobs/1', {
    body: { destination_conf: OTHER },
  });
  return server;
}

async function reopened(directory: string): Promise<Control> {
  const opened = await openControl({
    files: nodeFileSystem(),
    directory,
    clock: systemClock,
    random: systemRandom,
    diagnostics: silent,
    policy: { allowHttp: false, fileRoots: [] },
    keys: { kind: 'file', path: join(directory, 'secrets.key') },
    publish: () => Promise.resolve(),
    dataPlane: idleDataPlane(),
    version: 'test',
    mustExist: true,
  });
  assert.ok(opened.kind === 'open', JSON.stringify(opened));
  return opened.control;
}

test('a new key seals everything in force and in the history, and the old one goes', async () => {
  const server = await withJob();
  const path = join(server.directory, 'secrets.key');
  const before = keyIdIn(path);
  const challenge = await server.call('POST', '/client/v4/zones/z1/logpush/ownership', {
    body: { destination_conf: S3 },
  });
  assert.equal(challenge.status, 200, challenge.text);
  const rotated = await server.call('POST', '/v1/control/rotate-key');
  assert.equal(rotated.status, 200, rotated.text);
  assert.equal(rotated.body.resealed, 1);
  assert.equal(rotated.body.key, keyIdIn(path));
  assert.notEqual(keyIdIn(path), before);
  const shown = await server.call('GET', '/client/v4/zones/z1/logpush/jobs/1');
  assert.equal(shown.body.result.destination_conf, OTHER);
  await server.control.close();
  assert.ok(!existsSync(`${path}.old`) && !existsSync(`${path}.next`));
  for (const { name, bytes } of everyFile(server.directory))
    assert.ok(!bytes.includes(before), `${name} holds something sealed with the old key`);

  const again = await reopened(server.directory);
  assert.equal(again.snapshot().jobs[0]?.destinationConf, OTHER);
  const url = await again.listen({ host: '127.0.0.1', port: 0 });
  const back = await fetch(`${url}/v1/config/rollback`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.operator}` },
    body: JSON.stringify({ change: 7, withSecrets: true }),
  });
  assert.equal(back.status, 200, await back.text());
  assert.equal(
    again.snapshot().jobs[0]?.destinationConf,
    S3,
    'an old secret opens with the new key',
  );
  await again.close();
  await server.close();
});

test('a crash at any point of a rotation leaves every key that something is sealed with', async () => {
  const server = await withJob();
  const path = join(server.directory, 'secrets.key');
  const oldKey = readFileSync(path);

  // Before anything was sealed with the next key: the old one goes on.
  await server.control.close();
  writeFileSync(`${path}.next`, Buffer.alloc(32, 9), { mode: 0o600 });
  const early = await reopened(server.directory);
  assert.equal(early.snapshot().jobs[0]?.destinationConf, OTHER);
  assert.deepEqual(readFileSync(path), oldKey);
  const url = await early.listen({ host: '127.0.0.1', port: 0 });
  const rotated = await fetch(`${url}/v1/control/rotate-key`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.operator}` },
  });
  assert.equal(rotated.status, 200, await rotated.text());
  assert.equal(
    keyIdIn(path),
    keyIdOf(Buffer.alloc(32, 9)),
    'the key that was made already is used',
  );
  await early.close();

  // Sealed with the next key, which has not taken its place.
  renameSync(path, `${path}.next`);
  writeFileSync(path, oldKey, { mode: 0o600 });
  const late = await reopened(server.directory);
  assert.equal(late.snapshot().jobs[0]?.destinationConf, OTHER);
  await late.close();
  assert.equal(keyIdIn(path), keyIdOf(Buffer.alloc(32, 9)));
  assert.ok(!existsSync(`${path}.next`) && !existsSync(`${path}.old`));

  // In its place, the old one not removed yet.
  writeFileSync(`${path}.old`, oldKey, { mode: 0o600 });
  const end = await reopened(server.directory);
  assert.equal(end.snapshot().jobs[0]?.destinationConf, OTHER);
  await end.close();
  assert.ok(!existsSync(`${path}.old`));
  await server.close();
});

const deps = (source: KeySource) => ({
  files: nodeFileSystem(),
  random: seededRandom(3),
  source,
});
const hex = (n: number): string => Buffer.alloc(32, n).toString('hex');
const sealedBy = (n: number) =>
  sealer(Buffer.alloc(32, n), systemRandom).seal('s', 1, 'the secret');

test('keys come from the environment or a command: the newest seals, all open, and bad ones are told without their text', async () => {
  const text = `${hex(2)},${Buffer.alloc(32, 1).toString('base64')}`;
  const both = await openKeys(
    deps({ kind: 'env', variable: 'KEY', text }),
    [sealedBy(1), sealedBy(2)],
    '/data',
  );
  assert.ok(both.kind === 'keys', JSON.stringify(both));
  assert.equal(both.keeper.ring.keyId, keyIdOf(Buffer.alloc(32, 2)));
  assert.equal(both.keeper.ring.open(sealedBy(1)), 'the secret');

  let printed = hex(1);
  const run = () => Promise.resolve({ kind: 'text' as const, text: printed });
  const command = await openKeys(deps({ kind: 'command', run }), [sealedBy(1)], '/data');
  assert.ok(command.kind === 'keys');
  assert.equal((await command.keeper.begin()).kind, 'none', 'there is no newer key yet');
  printed = `${hex(3)}\n${hex(1)}\n`;
  assert.equal((await command.keeper.begin()).kind, 'new');
  assert.equal(command.keeper.ring.keyId, keyIdOf(Buffer.alloc(32, 3)));

  for (const [bad, why] of [
    [undefined, /gives no key/],
    ['', /gives no key/],
    [`${hex(1)} MARKERnotAkey`, /as key 2 that is not 32 bytes/],
    [hex(7), /are sealed with key/],
  ] as const) {
    const opened = await openKeys(
      deps({ kind: 'env', variable: 'KEY', text: bad }),
      [sealedBy(1)],
      '/data',
    );
    assert.ok(opened.kind === 'unreadable' && why.test(opened.detail), JSON.stringify(opened));
    assert.ok(!opened.detail.includes('MARKER') && !opened.detail.includes(hex(7)));
  }
  const failing = () => Promise.resolve({ kind: 'failed' as const, detail: 'kms ended with 1' });
  const failed = await openKeys(deps({ kind: 'command', run: failing }), [], '/data');
  assert.ok(failed.kind === 'unreadable' && /keyCommand failed: kms ended/.test(failed.detail));
});

test('rotated again, a newer key seals all; each time is one entry of the change log, without edits', async () => {
  const server = await withJob();
  const first = await server.call('POST', '/v1/control/rotate-key');
  const second = await server.call('POST', '/v1/control/rotate-key');
  assert.deepEqual([first.body.resealed, second.body.resealed], [1, 1]);
  assert.notEqual(first.body.key, second.body.key);
  const { changes } = (await server.call('GET', '/v1/changes?limit=1')).body;
  assert.deepEqual([changes[0].what, changes[0].edits], ['secrets.rotate', []]);
  await server.close();
});
