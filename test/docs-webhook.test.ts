/** The receiver on the page of HTTP that verifies signatures is run as it stands there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { sampleBatch } from '../src/destinations/conformance.ts';
import { openDestination } from '../src/destinations/index.ts';
import { testDialler } from './servers/dialler.ts';
import { testTools } from './servers/scripted-rig.ts';

const page = readFileSync(join(import.meta.dirname, '../docs/destinations/http.md'), 'utf8');
const code = /```js\n([^]*?)```/.exec(page)?.[1] ?? '';
const SECRET = Buffer.alloc(32, 7).toString('base64');

test('the verifying receiver takes what is signed, once, and nothing else', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, WEBHOOK_SECRET: `whsec_${SECRET}`, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => void printed.push(chunk));
  const dialler = testDialler();
  try {
    const [port] = (await once(child.stderr, 'data')) as [Buffer];
    const at = `http://127.0.0.1:${port.toString().trim()}/`;
    const send = async (conf: string) => {
      const sender = await openDestination(conf, testTools({ dialler }));
      return await sender.send(sampleBatch(), new AbortController().signal);
    };
    const signed = `${at}?webhook-secret=${encodeURIComponent(SECRET)}`;
    assert.equal((await send(signed)).kind, 'accepted');
    assert.equal((await send(signed)).kind, 'accepted');
    const other = encodeURIComponent(Buffer.alloc(32, 8).toString('base64'));
    const forged = await send(`${at}?webhook-secret=${other}`);
    assert.ok(forged.kind === 'retry' && forged.status === 401, JSON.stringify(forged));
    assert.equal((await send(at)).kind, 'retry');
    assert.ok(Buffer.concat(printed).equals(gunzipSync(Buffer.concat(sampleBatch().body))));
  } finally {
    dialler.close();
    child.kill('SIGKILL');
  }
});
