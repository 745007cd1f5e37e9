// The quick check, for every save: types, lint, format, layers and unit tests, side by side. What unit tests try at random
// or in turn they only sample here; `npm test` runs more of it and `npm run test:long` all. The destinations'
// conformance, which waits for receivers that say nothing, is left to these two.
// Prints what failed, and nothing of what did not; the last line says which checks ran.
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const checks = {
  types: ['tsc'],
  lint: ['oxlint'],
  format: ['oxfmt', '--check'],
  'tests (random and exhaustive ones sampled)':
    `node scripts/run-tests.ts --timeout-min 4 --depth quick --isolation none --concurrency 2
    src/**/*.test.ts !src/**/*.{long,conformance}.test.ts test/layers.test.ts`.split(/\s+/),
} satisfies Record<string, readonly string[]>;

interface Verdict {
  readonly name: string;
  readonly ok: boolean;
  readonly output: string;
  readonly seconds: string;
}

function check(name: string, [command = '', ...args]: readonly string[]): Promise<Verdict> {
  const started = performance.now();
  const program = resolve(root, 'node_modules/.bin', command);
  return new Promise((done) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    const keep = (chunk: Buffer): number => chunks.push(chunk);
    const end = (ok: boolean): void => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      done({ name, ok, seconds, output: Buffer.concat(chunks).toString() });
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${program} does not start: ${error.message}\n`));
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}

const verdicts = await Promise.all(
  Object.entries(checks).map(([name, command]) => check(name, command)),
);
for (const { name, ok, output } of verdicts) {
  if (!ok) console.log(`--- ${name}\n${output}`);
}
console.log(
  verdicts
    .map(({ name, ok, seconds }) => `${name} ${ok ? 'ok' : 'FAILED'} ${seconds} s`)
    .join(', '),
);
process.exitCode = verdicts.every(({ ok }) => ok) ? 0 : 1;
