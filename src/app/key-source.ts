import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import type { ControlDeps } from '../control/index.ts';
import type { Config } from '../model/settings.ts';

type KeySource = NonNullable<ControlDeps['keys']>;

/** Holds the key, or several, newest first. */
const VARIABLE = 'WAYBILL_SEALING_KEY';
/** A command that asks a key service takes seconds at most; its keys are short. */
const COMMAND_MS = 30_000;
const COMMAND_BYTES = 64 * 1024;

/**
 * Where the key that seals secrets comes from, by the settings.
 *
 * The variable is taken out of the environment: programs that are started from here, and dumps of it, have no use for it.
 */
export function keySource(control: Config['control'], fallbackFile: string): KeySource {
  const text = process.env[VARIABLE];
  delete process.env[VARIABLE];
  switch (control.keySource) {
    case 'env':
      return { kind: 'env', variable: VARIABLE, text };
    case 'command':
      return { kind: 'command', run: () => run(control.keyCommand) };
    default:
      return {
        kind: 'file',
        path: control.keyFile === '' ? fallbackFile : resolve(control.keyFile),
      };
  }
}

/** What it says on standard error is not looked at: it may hold anything. */
function run([program = '', ...args]: readonly string[]): ReturnType<
  Extract<KeySource, { readonly kind: 'command' }>['run']
> {
  return new Promise((answer) => {
    const options = { timeout: COMMAND_MS, maxBuffer: COMMAND_BYTES, encoding: 'utf8' } as const;
    execFile(program, args, options, (error, stdout) => {
      if (!error) return answer({ kind: 'text', text: stdout });
      const { code, signal, killed } = error;
      const detail = killed
        ? `${program} did not answer within ${COMMAND_MS / 1000} s`
        : `${program} ended with ${String(code ?? signal)}`;
      answer({ kind: 'failed', detail });
    });
  });
}
