import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';

/** Drills share no module with the product: they are a program of their own, which talks to it as a stranger would. */
const PROGRAM = fileURLToPath(new URL('../../../drills/main.ts', import.meta.url));
const INTERRUPTED = 130;

/** Adds `drill`, which only starts that program and hands its exit code on. */
export function addDrill(program: Command, setExit: (code: number) => void): void {
  const drill = program.command('drill').description('rehearse a disaster, with a verdict');
  drill
    .command('list')
    .description('what can be rehearsed, and what must hold')
    .option('--json', 'print JSON for scripts')
    .action(async (options: { readonly json?: boolean }) => {
      setExit(await start(['list', ...(options.json ? ['--json'] : [])]));
    });
  drill
    .command('run <name>')
    .description(
      'run one on processes of its own, in a temporary folder; touches no running server',
    )
    .option('--short', 'a shorter form')
    .option('--only <part>', 'only this part; the verdict is then INCOMPLETE at best')
    .option('--report <dir>', 'where the report goes [.waybill/drills]')
    .option('--json', 'print the report as JSON; progress goes to standard error')
    .option('--take-away', 'let one delivered line vanish: the drill must notice and fail')
    .option('--keep', "leave the folder with the servers' logs and data")
    .addHelpText(
      'after',
      '\nExit codes: 0 it held, 1 it did not, 2 misuse, 5 it could not be run here in whole.',
    )
    .action(async (name: string, options: Readonly<Record<string, string | boolean>>) => {
      const flags = Object.entries(options).flatMap(([key, value]) => {
        const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
        return value === true ? [flag] : [flag, String(value)];
      });
      setExit(await start(['run', name, ...flags]));
    });
}

/** Runs the program with this one's input and output; resolves with its exit code. */
function start(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const passOn = (signal: NodeJS.Signals) => {
    // A Ctrl-C at a terminal reaches the child by itself; a second one would be an order to hurry.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, passOn);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      for (const signal of signals) process.off(signal, passOn);
      resolve(code ?? INTERRUPTED);
    });
  });
}
