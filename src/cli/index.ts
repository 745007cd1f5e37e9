/**
 * cli: the command line. Commands speak HTTP to a running server and to nothing else; `serve` and the offline checks are
 * handed in by `main.ts`.
 */
import { Command, CommanderError } from 'commander';
import { COMMANDS } from './command-table.ts';
import type { Cli, CliParts } from './command-table.ts';
import { CallFailed, EXIT } from './control-client.ts';
import type { CliContext } from './context.ts';

export type { CliParts } from './command-table.ts';
export type { CliContext } from './context.ts';
export type { Output } from './output.ts';

/**
 * Runs one command.
 *
 * @param args what stands behind `waybill`
 * @returns the exit code
 */
export async function runCli(
  args: readonly string[],
  context: CliContext,
  parts: CliParts,
): Promise<number> {
  let exitCode: number = EXIT.ok;
  const setExit = (code: number) => {
    exitCode = code;
  };
  const program = new Command('waybill')
    .description('Self-hosted log delivery: no accepted line is ever lost silently.')
    .version(parts.version, '-V, --version')
    .configureOutput({ writeOut: context.output.out, writeErr: context.output.note })
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 it found a problem, 2 misuse, 3 no server there, 4 the server refused.',
    );
  const cli: Cli = { ...parts, program, context, setExit };
  const named = COMMANDS.filter(({ names }) => names.includes(args[0] ?? ''));
  // In turn, so that help lists them in this order.
  for (const { add } of named.length > 0 ? named : COMMANDS) await add(cli);
  inherit(program);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.misuse;
    if (error instanceof CallFailed) {
      context.output.note(`waybill: ${error.message}\n`);
      return error.exitCode;
    }
    throw error;
  }
}

/** Commander hands settings to commands when they are made, before ours were set. */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inherit(child);
  }
}
