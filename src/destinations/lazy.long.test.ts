/** A vendor's SDK is loaded when a job needs it, and not by starting: it takes memory and time in every thread. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

const PROGRAM = `
  import { registerHooks } from 'node:module';
  let loaded = 0;
  registerHooks({
    load(url, context, next) {
      if (/node_modules\\/@(aws-sdk|smithy)\\//.test(url)) loaded += 1;
      return next(url, context);
    },
  });
  await import(${here('../app/index.ts')});
  const { openDestination } = await import(${here('./index.ts')});
  const policy = { allowHttp: true, fileRoots: ['/tmp'] };
  const tools = { policy, ambientCredentials: false, dialler: {}, clock: {}, files: {} };
  await openDestination('https://logs.example/in', tools);
  const before = loaded;
  await openDestination('s3://logs/a?region=r&access-key-id=K&secret-access-key=S', tools);
  console.log(JSON.stringify([before, loaded > 0]));
  process.exit();
`;

test('neither the server nor another destination loads Amazon’s SDK; an S3 job does', async () => {
  const args = ['--input-type=module', '--eval', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  assert.deepEqual(JSON.parse(stdout), [0, true]);
});
