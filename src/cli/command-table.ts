/** Which commands there are, and what loads each. */
import type { Command } from 'commander';
import type { CheckDirectory } from '../model/check-report.ts';
import type { FolderTools } from '../model/folder-lines.ts';
import type { CliContext } from './context.ts';
import type { RebuildStore } from './commands/control.ts';
import type { ForwardParts } from './commands/forward.ts';
import type { Serve } from './commands/serve.ts';

export interface CliParts {
  readonly version: string;
  readonly serve: Serve;
  readonly checkDirectory: CheckDirectory;
  readonly folderTools: FolderTools;
  readonly rebuildStore: RebuildStore;
  readonly forward: () => Promise<ForwardParts>;
}

/** What adding commands rests on. */
export interface Cli extends CliParts {
  readonly program: Command;
  readonly context: CliContext;
  readonly setExit: (code: number) => void;
}

/**
 * The commands in the order of `--help`. The one that is named is loaded, and all when none of them is: a server would else
 * load what every other command needs, at each start.
 */
export const COMMANDS: readonly {
  readonly names: readonly string[];
  readonly add: (cli: Cli) => Promise<void>;
}[] = [
  {
    names: ['serve'],
    add: async (cli) => {
      const { addServe } = await import('./commands/serve.ts');
      addServe(cli.program, cli.context, cli.serve, cli.setExit);
    },
  },
  {
    names: ['forward'],
    add: async (cli) => {
      const { addForward } = await import('./commands/forward.ts');
      addForward(cli.program, cli.context, await cli.forward(), cli.setExit);
    },
  },
  {
    names: ['accounts', 'zones', 'datasets'],
    add: async (cli) => {
      const { addDirectory } = await import('./commands/directory.ts');
      addDirectory(cli.program, cli.context);
    },
  },
  {
    names: ['jobs'],
    add: async (cli) => {
      const { addJobs } = await import('./commands/jobs.ts');
      addJobs(cli.program, cli.context);
    },
  },
  {
    names: ['tokens'],
    add: async (cli) => {
      const { addTokens } = await import('./commands/tokens.ts');
      addTokens(cli.program, cli.context);
    },
  },
  {
    names: ['send'],
    add: async (cli) => {
      const { addSend } = await import('./commands/send.ts');
      addSend(cli.program, cli.context, cli.setExit);
    },
  },
  {
    names: ['ledger'],
    add: async (cli) => {
      const { addLedger } = await import('./commands/ledger.ts');
      addLedger(cli.program, cli.context, cli.setExit);
    },
  },
  {
    names: ['replay', 'replays'],
    add: async (cli) => {
      const { addReplay } = await import('./commands/replay.ts');
      addReplay(cli.program, cli.context);
    },
  },
  {
    names: ['erase'],
    add: async (cli) => {
      const { addErase } = await import('./commands/erase.ts');
      addErase(cli.program, cli.context);
    },
  },
  {
    names: ['retention'],
    add: async (cli) => {
      const { addRetention } = await import('./commands/retention.ts');
      addRetention(cli.program, cli.context);
    },
  },
  {
    names: ['config'],
    add: async (cli) => {
      const { addConfig } = await import('./commands/config.ts');
      addConfig(cli.program, cli.context, cli.setExit);
    },
  },
  {
    names: ['plan', 'apply'],
    add: async (cli) => {
      const { addPlanAndApply } = await import('./commands/apply.ts');
      addPlanAndApply(cli.program, cli.context, cli.setExit);
    },
  },
  {
    names: ['control'],
    add: async (cli) => {
      const { addControl } = await import('./commands/control.ts');
      addControl(cli.program, cli.context, cli.rebuildStore);
    },
  },
  {
    names: ['status'],
    add: async (cli) => {
      const { addStatus } = await import('./commands/status.ts');
      addStatus(cli.program, cli.context, cli.setExit);
    },
  },
  {
    names: ['alerts'],
    add: async (cli) => {
      const { addAlerts } = await import('./commands/alerts.ts');
      addAlerts(cli.program, cli.context, cli.setExit);
    },
  },
  {
    names: ['webhooks'],
    add: async (cli) => {
      const { addWebhooks } = await import('./commands/webhooks.ts');
      addWebhooks(cli.program, cli.context, cli.setExit);
    },
  },
  {
    names: ['tail'],
    add: async (cli) => {
      const { addTail } = await import('./commands/tail.ts');
      addTail(cli.program, cli.context);
    },
  },
  {
    names: ['log'],
    add: async (cli) => {
      const { addLog } = await import('./commands/log.ts');
      addLog(cli.program, cli.context, cli.checkDirectory, cli.folderTools, cli.setExit);
    },
  },
  {
    names: ['drill'],
    add: async (cli) => {
      const { addDrill } = await import('./commands/drill.ts');
      addDrill(cli.program, cli.setExit);
    },
  },
];
