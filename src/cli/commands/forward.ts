/** `forward`: a forwarder beside the producers, and how it is doing. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { CallFailed, EXIT } from '../control-client.ts';
import { printJson } from '../context.ts';
import type { CliContext } from '../context.ts';
import { bytes, duration, paint, plural } from '../output.ts';

/** What the command line has to know of a forwarder; handed in by `main.ts`. */
export interface ForwardParts {
  readonly settings: readonly {
    readonly flag: string;
    readonly kind: 'text' | 'whole' | 'list';
    readonly fallback: string;
    readonly help: string;
  }[];
  /**
   * Runs a forwarder until it is told to stop; resolves to the exit code.
   *
   * @param input the parsed file, flags by name, and the token of the environment
   */
  readonly run: (input: {
    readonly document: unknown;
    readonly flags: Readonly<Record<string, string | undefined>>;
    readonly token: string | undefined;
  }) => Promise<number>;
}

const DEFAULT_STATUS_URL = 'http://127.0.0.1:4513';

const camel = (flag: string) =>
  flag.replace(/-(.)/g, (_match, letter: string) => letter.toUpperCase());

export function addForward(
  program: Command,
  context: CliContext,
  parts: ForwardParts,
  setExit: (code: number) => void,
): void {
  const command = program
    .command('forward')
    .description(
      'run a forwarder: take lines beside the producer, keep them until a server has them',
    )
    .option('-c, --config <file>', 'settings in YAML')
    .addHelpText(
      'after',
      '\nEvery setting is also a key of the file (`listen: { port: 4512 }`), and files to follow stand there (`tail:`).\n' +
        'The ingest token may stand in WAYBILL_TOKEN.\n' +
        '\nExamples:\n  $ waybill forward --receiver-urls https://logs.example:4510 --wanted-url https://logs.example:4511 --receiver-token-file token\n  $ waybill forward -c forward.yaml\n  $ waybill forward status',
    );
  for (const { flag, kind, fallback, help } of parts.settings) {
    const shown = kind === 'whole' ? '<n>' : kind === 'list' ? '<a,b,…>' : '<text>';
    command.option(`--${flag} ${shown}`, `${help}${fallback === '' ? '' : ` [${fallback}]`}`);
  }
  command.action(async (options: Record<string, string | undefined>) => {
    const path = options['config'];
    const flags: Record<string, string | undefined> = {};
    for (const { flag } of parts.settings) flags[flag] = options[camel(flag)];
    const document = path === undefined ? undefined : readYaml(path);
    setExit(await parts.run({ document, flags, token: context.environment['WAYBILL_TOKEN'] }));
  });
  addStatus(command, context, setExit);
}

function readYaml(path: string): unknown {
  try {
    return parse(readFileSync(path, 'utf8')) as unknown;
  } catch (error) {
    throw new CallFailed(
      `the settings file cannot be read: ${(error as Error).message}`,
      EXIT.misuse,
    );
  }
}

interface StatusView {
  readonly version: string;
  readonly started: string;
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly wanted: {
    readonly state: string;
    readonly version: number | null;
    readonly streams: number | null;
    readonly problem: string | null;
  };
  readonly spool: {
    readonly heldBytes: number;
    readonly usedShare: number;
    readonly mostBytes: number;
    readonly waitingLines: number;
    readonly oldestWaitingMs: number | null;
    readonly streams: number;
    readonly durability: string;
  };
  readonly lines: {
    readonly accepted: number;
    readonly delivered: number;
    readonly unwanted: number;
  };
  readonly receivers: readonly {
    readonly name: string;
    readonly state: string;
    readonly problem: string | null;
  }[];
  readonly tail: { readonly files: number; readonly behindBytes: number } | null;
}

function addStatus(command: Command, context: CliContext, setExit: (code: number) => void): void {
  command
    .command('status')
    .description('how a forwarder is doing')
    .option('--url <url>', `its status address (${DEFAULT_STATUS_URL})`, DEFAULT_STATUS_URL)
    .option('--json', 'print JSON for scripts')
    .addHelpText('after', '\nEnds with 1 when something is wrong.')
    .action(async (options: { readonly url: string; readonly json?: boolean }) => {
      const status = await fetchStatus(options.url);
      if (!status.ok) setExit(EXIT.problem);
      if (options.json) return printJson(context, status);
      show(context, status);
    });
}

async function fetchStatus(url: string): Promise<StatusView> {
  try {
    const answer = await fetch(new URL('/v1/status', url), { signal: AbortSignal.timeout(10_000) });
    return (await answer.json()) as StatusView;
  } catch {
    throw new CallFailed(
      `no answer from ${url}. Is \`waybill forward\` running? Another address goes with --url.`,
      EXIT.unreachable,
    );
  }
}

function show({ output }: CliContext, status: StatusView): void {
  const line = (title: string, value: string) =>
    output.out(`${paint(output, 'bold', title.padEnd(11))} ${value}\n`);
  const { spool, wanted, lines, tail } = status;
  line('Forwarder', `${status.version}, since ${status.started}, durable on ${spool.durability}`);
  line(
    'Wanted',
    wanted.version === null
      ? wanted.state
      : `${plural(wanted.streams ?? 0, 'stream')}, version ${wanted.version} (${wanted.state})`,
  );
  const oldest =
    spool.oldestWaitingMs === null ? '' : `, the oldest for ${duration(spool.oldestWaitingMs)}`;
  line(
    'Spool',
    `${plural(spool.waitingLines, 'line')} waiting${oldest}; ${bytes(spool.heldBytes)} of ${bytes(spool.mostBytes)} on disk`,
  );
  line(
    'Lines',
    `${lines.accepted.toLocaleString('en-US')} accepted, ${lines.delivered.toLocaleString('en-US')} delivered, ${lines.unwanted.toLocaleString('en-US')} unwanted`,
  );
  for (const { name, state, problem } of status.receivers)
    line('Receiver', `${name} ${state}${problem === null ? '' : `: ${problem}`}`);
  if (tail) line('Files', `${plural(tail.files, 'file')}, ${bytes(tail.behindBytes)} behind`);
  for (const problem of status.problems) line('Problem', paint(output, 'red', problem));
}
