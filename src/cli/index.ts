/**
 * cli: the command line. Commands speak HTTP to a running server and to nothing else; `serve` and the offline checks are
 * handed in by `main.ts`.
 */
import { Command, CommanderError } from 'commander';
import type { CheckDirectory } from '../model/check-report.ts';
import type { FolderTools } from '../model/folder-lines.ts';
import { CallFailed, EXIT } from './control-client.ts';
import type { CliContext } from './context.ts';
import { addConfig } from './commands/config.ts';
import { addControl } from './commands/control.ts';
import type { RebuildStore } from './commands/control.ts';
import { addPlanAndApply } from './commands/apply.ts';
import { addAlerts } from './commands/alerts.ts';
import { addDirectory } from './commands/directory.ts';
import { addDrill } from './commands/drill.ts';
import { addErase } from './commands/erase.ts';
import { addRetention } from './commands/retention.ts';
import { addForward } from './commands/forward.ts';
import type { ForwardParts } from './commands/forward.ts';
import { addJobs } from './commands/jobs.ts';
import { addLedger } from './commands/ledger.ts';
import { addLog } from './commands/log.ts';
import { addReplay } from './commands/replay.ts';
import { addSend } from './commands/send.ts';
import { addServe } from './commands/serve.ts';
import type { Serve } from './commands/serve.ts';
import { addStatus } from './commands/status.ts';
import { addTail } from './commands/tail.ts';
import { addTokens } from './commands/tokens.ts';
import { addWebhooks } from './commands/webhooks.ts';

export type { CliContext } from './context.ts';
export type { Output } from './output.ts';

export interface CliParts {
  readonly version: string;
  readonly serve: Serve;
  readonly checkDirectory: CheckDirectory;
  readonly folderTools: FolderTools;
  readonly rebuildStore: RebuildStore;
  readonly forward: ForwardParts;
}

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
  addServe(program, context, parts.serve, setExit);
  addForward(program, context, parts.forward, setExit);
  addDirectory(program, context);
  addJobs(program, context);
  addTokens(program, context);
  addSend(program, context, setExit);
  addLedger(program, context, setExit);
  addReplay(program, context);
  addErase(program, context);
  addRetention(program, context);
  addConfig(program, context, setExit);
  addPlanAndApply(program, context, setExit);
  addControl(program, context, parts.rebuildStore);
  addStatus(program, context, setExit);
  addAlerts(program, context, setExit);
  addWebhooks(program, context, setExit);
  addTail(program, context);
  addLog(program, context, parts.checkDirectory, parts.folderTools, setExit);
  addDrill(program, setExit);
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
