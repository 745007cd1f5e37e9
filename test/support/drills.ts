/** Runs drills as a user does. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { temporaryFolder } from './server.ts';

const WAYBILL = resolve(import.meta.dirname, '../../bin/waybill.mjs');

/** A drill's report, as far as tests look. */
export interface DrillReport {
  readonly drill: string;
  readonly verdict: {
    readonly kind: 'held' | 'broken' | 'incomplete';
    readonly lines: { readonly acked: number; readonly lostSilently: number };
    readonly expectations: readonly { readonly what: string; readonly good: boolean }[];
    readonly notRun: readonly { readonly what: string; readonly why: string }[];
    readonly examples: readonly string[];
  };
}

export async function listDrills(): Promise<
  readonly { readonly name: string; readonly claim: string }[]
> {
  const { code, out, said } = await run(['drill', 'list', '--json']);
  assert.equal(code, 0, said);
  return JSON.parse(out) as readonly { readonly name: string; readonly claim: string }[];
}

/** Runs one in its short form. `report` is undefined when it was not run at all. */
export async function runDrill(
  name: string,
  ...options: readonly string[]
): Promise<{
  readonly code: number;
  readonly report: DrillReport | undefined;
  readonly said: string;
}> {
  const folder = await temporaryFolder('drill-report');
  try {
    const args = ['drill', 'run', name, '--short', '--json', '--report', folder.path, ...options];
    const { code, out, said } = await run(args);
    return { code, said, report: out === '' ? undefined : (JSON.parse(out) as DrillReport) };
  } finally {
    await folder.remove();
  }
}

async function run(args: readonly string[]) {
  const child = spawn(process.execPath, [WAYBILL, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, said };
}
