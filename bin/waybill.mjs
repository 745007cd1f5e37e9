#!/usr/bin/env node
// The launcher. Plain JavaScript for an old Node too: it must be able to say that Node is too old.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { constants, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;

// Before anything uses the thread pool: its size is read once, at first use. Four threads, Node's own
// default, are fewer than one shard's syncs and compressions in flight; each core can have a shard.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(8, 4 * cpus().length));

if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  // Types are stripped and code is compiled once and not at each start. Beside the code, so that only who may change the
  // code may change what it was compiled to; where that cannot be written to, nothing is kept. A server's lies apart: it sets
  // flags of V8, and what was compiled under other flags is compiled anew and written over.
  const cache = `../node_modules/.cache/waybill${process.argv[2] === 'serve' ? '/serve' : ''}`;
  nodeModule.enableCompileCache(fileURLToPath(new URL(cache, import.meta.url)));
  await import('../src/main.ts');
} else {
  runWithOurNode();
}

/** `npm install` brings a new enough Node along; start again with that one. */
function runWithOurNode() {
  const ours = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  if (process.env.WAYBILL_LAUNCHED || !existsSync(ours)) {
    process.stderr.write(
      `waybill needs Node ${NEEDED} or newer; this is ${process.version}.\n` +
        'Install a newer Node, or run `npm install` in the folder of waybill, which brings one.\n',
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(ours, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, WAYBILL_LAUNCHED: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // A Ctrl-C at a terminal reaches the child by itself; a second one would be an order to hurry.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`waybill: ${ours} does not start: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}
