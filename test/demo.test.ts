// The demo as a newcomer runs it, shortened: it must say so when all is well, and must not when something is gone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite, test } from 'node:test';

const DEMO = resolve(import.meta.dirname, '../demo/demo.ts');

async function runDemo(...options: readonly string[]): Promise<{ code: number; said: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-demo-test-'));
  try {
    const args = [DEMO, '--seconds', '3', '--rate', '800', '--folder', folder, ...options];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    }
    const [code] = (await once(child, 'close')) as [number];
    return { code, said };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

suite('npm run demo', { concurrency: true }, () => {
  test('a kill in mid-stream costs no line, and both books agree (I1, I2, I7)', async () => {
    const { code, said } = await runDemo();
    assert.equal(code, 0, said);
    assert.match(said, /SIGKILL +in mid-stream, with [\d,]+ lines promised/);
    assert.match(said, /restarted +in [\d,]+ ms, recovering all [\d,]+ promised lines/);
    assert.match(said, /✓ Brisk Radio, errors only +[\d,]+ of [\d,]+ pass its filter/);
    assert.match(said, /✓ waybill log check --books/);
    assert.match(said, /✓ waybill ledger/);
    assert.match(said, /promised, one SIGKILL: none lost, none twice, none damaged\./);
    assert.ok(!said.includes('\u001b'), 'no colours and no redrawing when nobody watches');
  });

  test('--break ends in red with the lines that are missing', async () => {
    const { code, said } = await runDemo('--break');
    assert.equal(code, 1, said);
    const deleted = /one delivered object is deleted behind everybody's back: ([\d,]+) lines?/.exec(
      said,
    );
    assert.ok(deleted, said);
    assert.match(said, /✗ Alder Books/);
    assert.match(said, /missing \{"RayID":"[\da-f]{16}"/);
    assert.ok(said.includes(`✗ ${deleted[1]} line`), 'exactly the lines of that object are missed');
    assert.match(said, /✓ Cobalt Pay/);
  });

  test('an option that is none is refused with what there is', async () => {
    const { code, said } = await runDemo('--brake');
    assert.equal(code, 2);
    assert.match(said, /--break +delete one delivered object/);
  });
});
