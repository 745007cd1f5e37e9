import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SCOPE_ID } from '../model/scope.ts';
import type { Scope } from '../model/scope.ts';
import { CallFailed, EXIT, controlClient } from './control-client.ts';
import type { ControlClient } from './control-client.ts';
import type { Output } from './output.ts';

export const DEFAULT_CONTROL_URL = 'http://127.0.0.1:4511';
export const DEFAULT_INGEST_URL = 'http://127.0.0.1:4510';

/** What every command is handed. */
export interface CliContext {
  readonly output: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input: AsyncIterable<Buffer>;
}

interface ConnectionOptions {
  readonly url?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
  readonly reason?: string;
  readonly insist?: string;
}

/** Adds the options of commands that speak to a server. */
export function withConnection(command: Command): Command {
  return command
    .option('--url <url>', `control API's address (WAYBILL_URL, else ${DEFAULT_CONTROL_URL})`)
    .option('--token <token>', 'token (WAYBILL_TOKEN, else the file)')
    .option('--token-file <path>', 'file with the token (else operator.token in ./waybill-data)')
    .option('--json', 'print JSON for scripts')
    .option('--reason <text>', 'why something is changed, for the history')
    .option('--insist <token>', 'insist on a change that the guard refused; takes --reason');
}

export function clientOf(context: CliContext, options: ConnectionOptions): ControlClient {
  const { reason, insist } = options;
  return controlClient(urlOf(context, options), tokenOf(context, options), {
    ...(reason === undefined ? {} : { 'waybill-reason': encodeURIComponent(reason) }),
    ...(insist === undefined ? {} : { 'waybill-insist': insist }),
  });
}

/** The control API's address. */
export function urlOf(context: CliContext, options: ConnectionOptions): string {
  return options.url ?? context.environment['WAYBILL_URL'] ?? DEFAULT_CONTROL_URL;
}

export function tokenOf(context: CliContext, options: ConnectionOptions): string | undefined {
  // What stands in the command goes before the environment: `send` and the control commands want different tokens.
  const inherited =
    options.tokenFile === undefined ? context.environment['WAYBILL_TOKEN'] : undefined;
  const given = options.token ?? inherited;
  if (given !== undefined) return given;
  const path =
    options.tokenFile ??
    join(context.environment['WAYBILL_DATA_DIR'] ?? 'waybill-data', 'operator.token');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (options.tokenFile === undefined) return undefined;
    throw new CallFailed(`the token file cannot be read: ${(error as Error).message}`, EXIT.misuse);
  }
}

interface ScopeOptions {
  readonly account?: string;
  readonly zone?: string;
}

/** Adds `--account` and `--zone`. */
export function withScope(command: Command): Command {
  return command.option('--account <id>', 'the account').option('--zone <id>', 'the zone');
}

export function scopeOf(options: ScopeOptions): Scope {
  const { account, zone } = options;
  if ((account === undefined) === (zone === undefined))
    throw new CallFailed('give either --account <id> or --zone <id>', EXIT.misuse);
  return checkedScope(
    zone === undefined ? { kind: 'account', id: account! } : { kind: 'zone', id: zone },
  );
}

/** `zone:<id>` or `account:<id>`, as tokens' scopes are written. */
export function parseScope(text: string): Scope {
  const [kind, id, ...rest] = text.split(':');
  if ((kind !== 'account' && kind !== 'zone') || id === undefined || rest.length > 0) {
    throw new CallFailed(`${text} is no scope; write account:<id> or zone:<id>`, EXIT.misuse);
  }
  return checkedScope({ kind, id });
}

function checkedScope(scope: Scope): Scope {
  if (!SCOPE_ID.test(scope.id)) {
    throw new CallFailed(`${scope.id} is no id: letters, digits, - and _, at most 32`, EXIT.misuse);
  }
  return scope;
}

/** A whole number on the command line. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new CallFailed(`${text} is no whole number`, EXIT.misuse);
  return Number(text);
}

export function printJson(context: CliContext, value: unknown): void {
  context.output.out(`${JSON.stringify(value, null, 2)}\n`);
}
