// Holds src/ to the table in .dependency-cruiser.mjs, and the checker itself to a tree of known breaches:
// it has been seen to find no module at all and to call that success.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

interface Cruise {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
  };
}

const root = resolve(import.meta.dirname, '..');

function cruise(folder: string): { totalCruised: number; breaches: string[] } {
  const cruiser = join(root, 'node_modules/.bin/depcruise');
  const config = join(root, '.dependency-cruiser.mjs');
  const roots = ['src', 'drills'].filter((name) => existsSync(join(folder, name)));
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [cruiser, '--config', config, '--output-type', 'json', ...roots],
    { cwd: folder, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
  );
  assert.notEqual(stdout, '', `dependency-cruiser said nothing but: ${stderr}`);
  const { summary } = JSON.parse(stdout) as Cruise;
  const breaches = summary.violations.map(({ rule, from, to }) => {
    const outside = to.replace(/^.*node_modules\//, '').replace(/\/dist.*$/, '');
    return from === to ? `${rule.name}: ${from}` : `${rule.name}: ${from} -> ${outside}`;
  });
  return { totalCruised: summary.totalCruised, breaches: breaches.sort() };
}

test('the layer check reports every known breach', () => {
  const { breaches } = cruise(join(root, 'test/fixtures/layers'));
  assert.deepEqual(breaches, [
    "Amazon's SDK: only in src/destinations/s3: src/destinations/http/index.ts -> @aws-sdk/client-s3",
    'SQLite: only in src/lib/sqlite, src/control/store, src/ledger, src/watch, src/loss: src/lib/files.ts -> node:sqlite',
    'a destination is entered by its index.ts: src/destinations/catalog.ts -> src/destinations/http/send.ts',
    'a room is entered by its index.ts: src/app/index.ts -> src/buffer/inner.ts',
    'deliver may import only types of: buffer: src/deliver/runner.ts -> src/buffer/index.ts',
    'drills share no module with src/: drills/crash.ts -> src/app/index.ts',
    'every folder of src/ is a room of the table: src/odd/index.ts -> src/model/account.ts',
    'every import resolves: src/destinations/http/send.ts -> ./not-there.ts',
    'log may import only: lib: src/log/index.ts -> src/model/account.ts',
    'main.ts may import only: app, cli: src/main.ts -> src/model/account.ts',
    'no cycles: src/buffer/inner.ts -> src/buffer/outer.ts',
    'no orphans: src/lib/orphan.ts',
    'one destination never imports another: src/destinations/s3/index.ts -> src/destinations/http/index.ts',
    'src/ imports nothing that is only for trying it out: src/app/index.ts -> test/helper.ts',
    'the file system: only in src/lib/fs, src/cli, src/app: src/lib/files.ts -> fs',
  ]);
});

test('src/ keeps to its layers', () => {
  const { totalCruised, breaches } = cruise(root);
  assert.ok(totalCruised > 0, 'no module was found');
  assert.deepEqual(breaches, []);
});
