/** The tutorial's island and its test are checked and run as they stand on the page. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

test('the destination of the tutorial passes the suite that every destination passes', async () => {
  const page = await readFile(join(root, 'docs/write-a-destination.md'), 'utf8');
  const [island, suite] = [...page.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code ?? '');
  assert.ok(island && suite);
  // Beside src, so that no other test run meets it; its imports are led there.
  const folder = join(root, `.tutorial-${process.pid}`);
  const led = (code: string): string =>
    code
      .replaceAll("'../../../test/", "'../test/")
      .replaceAll(/'\.\.\/([a-z-]+\.ts)'/g, "'../src/destinations/$1'");
  await mkdir(folder);
  try {
    await writeFile(join(folder, 'index.ts'), led(island));
    await writeFile(join(folder, 'example.test.ts'), led(suite));
    const options = { extends: '../tsconfig.json', include: ['*.ts'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(options));
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder]);
    const env = { ...process.env };
    delete env['NODE_TEST_CONTEXT'];
    const { stdout } = await run(process.execPath, ['--test', join(folder, 'example.test.ts')], {
      env,
    });
    assert.match(stdout, /example: a receiver that asks to wait: retry/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
