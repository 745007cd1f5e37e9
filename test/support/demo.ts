import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const DEMO = resolve(import.meta.dirname, '../../demo/demo.ts');

/** Runs the demo as a newcomer does, shortened, and resolves to its exit code and all that it said. */
export async function runDemo(
  ...options: readonly string[]
): Promise<{ code: number; said: string }> {
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
