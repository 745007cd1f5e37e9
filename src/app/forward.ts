/** A forwarder as a process: its folder, its token, its signals. */
import { createHash } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { startForwarder } from '../forward/index.ts';
import type { Forwarder } from '../forward/index.ts';
import { keptLinesIn } from './kept-lines.ts';
import { assert } from '../lib/assert.ts';
import { systemClock as clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { nodeFollowedFiles } from '../lib/fs/followed.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import { parseOpenedRange } from '../lib/net/addresses.ts';
import { createGuardedDialler } from '../lib/net/guarded-dialler.ts';
import { systemResolver } from '../lib/net/system-resolver.ts';
import { systemRandom as random } from '../lib/random.ts';
import { VERSION } from '../lib/version.ts';
import { readForwardConfig } from '../model/forward-settings.ts';
import type { ForwardConfig, SettingProblem } from '../model/forward-settings.ts';
import { limits } from '../model/limits.ts';
import { crashAt } from './crash-point.ts';
import { prepareDataFolder } from './data-folder.ts';
import { processDiagnostics } from './report.ts';
import { stopOrder } from './stop-order.ts';
import { terminal } from './terminal.ts';

const REFUSED = 1;
const MISUSE = 2;

export interface ForwardInput {
  /** The parsed settings file; undefined without one. */
  readonly document: unknown;
  readonly flags: Readonly<Record<string, string | undefined>>;
  /** The ingest token of the environment. */
  readonly token: string | undefined;
}

/**
 * Runs a forwarder until SIGTERM or SIGINT. The first signal drains for up to `drainMs`; a second one ends at once and loses
 * nothing either.
 *
 * @returns the process's exit code
 */
export async function forwardUntilStopped(input: ForwardInput): Promise<number> {
  const { output } = terminal();
  const config = readForwardConfig(input.document, input.flags);
  if (isProblems(config)) {
    const rows = config.map(({ where, message }) => `  ${where} ${message}\n`).join('');
    output.note(`waybill: the settings are not right:\n${rows}`);
    return MISUSE;
  }
  const ordered = stopOrder();
  const started = await start(config, input.token);
  if (typeof started === 'string') {
    output.note(`waybill: ${started}\n`);
    return REFUSED;
  }
  output.out(greeting(started.forwarder, config, output.colour));
  await ordered;
  await started.stop();
  return 0;
}

function isProblems(
  config: ForwardConfig | readonly SettingProblem[],
): config is readonly SettingProblem[] {
  return Array.isArray(config);
}

interface Started {
  readonly forwarder: Forwarder;
  stop(): Promise<void>;
}

/** @returns the running forwarder, or why it cannot run */
async function start(config: ForwardConfig, given: string | undefined): Promise<Started | string> {
  const diagnostics = processDiagnostics(config.process.logLevel);
  const files = nodeFileSystem();
  const directory = resolve(config.data.dir);
  const at = (...names: string[]) => join(directory, ...names);
  const secrets = readSecrets(config, given, diagnostics);
  if (typeof secrets === 'string') return secrets;
  const unusable = await prepareDataFolder(files, directory, 1);
  if (unusable !== undefined) return unusable;
  for (const name of ['wanted', 'tail']) await files.makeDirectory(at(name));
  const lock = await files.lock(at('lock'));
  if (lock === 'held')
    return `another Waybill uses the data folder ${directory}; give this one its own with --data-dir`;
  const keptLines = keptLinesIn(at('ledger'), diagnostics);
  const dialler = diallerOf(diagnostics, secrets.ca);
  try {
    const outcome = await startForwarder({
      config,
      paths: {
        log: at('shards', '0', 'log'),
        buffer: at('shards', '0', 'buffer'),
        archive: at('shards', '0', 'archive'),
        wanted: at('wanted'),
        tail: at('tail'),
      },
      files,
      followed: nodeFollowedFiles(),
      dialler,
      keptLines,
      token: secrets.token,
      producerTokens: secrets.producerTokens,
      version: VERSION,
      clock,
      random,
      diagnostics,
      onStep: crashAt(process.env['WAYBILL_CRASH_AT']),
    });
    if (outcome.kind === 'refused') return outcome.detail;
    const { forwarder } = outcome;
    return {
      forwarder,
      async stop() {
        await forwarder.stop();
        secrets.close();
        dialler.close();
        keptLines.close();
        await lock.release();
      },
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL') return message;
    throw error;
  }
}

/** Receivers are the operator's own choice: every address may be dialled. */
function diallerOf(diagnostics: Diagnostics, ca: string | undefined) {
  return createGuardedDialler({
    resolver: systemResolver(),
    allow: ['0.0.0.0/0', '::/0'].map((text) => {
      const range = parseOpenedRange(text);
      assert(range, 'a range of all addresses is one');
      return range;
    }),
    clock,
    diagnostics,
    connectMs: limits.deliver.connectMs,
    idleMs: limits.deliver.idleMs,
    idleSockets: limits.deliver.idleSockets,
    socketsPerHost: limits.deliver.attempts,
    ...(ca === undefined ? {} : { ca: [ca] }),
  });
}

interface Secrets {
  readonly token: () => string;
  readonly producerTokens: ReadonlySet<string> | undefined;
  readonly ca: string | undefined;
  close(): void;
}

const TOKEN = /^[\x21-\x7e]{1,256}$/;

/** Reads tokens and authorities from their files; or says in plain words which cannot be used. */
function readSecrets(
  { receiver, listen }: ForwardConfig,
  given: string | undefined,
  diagnostics: Diagnostics,
): Secrets | string {
  try {
    let token = receiver.token !== '' ? receiver.token : (given ?? '');
    if (receiver.tokenFile !== '') token = read(receiver.tokenFile);
    if (!TOKEN.test(token))
      return 'an ingest token is needed: receiver.tokenFile, or WAYBILL_TOKEN in the environment';
    const rows = listen.tokenFile === '' ? undefined : read(listen.tokenFile).split(/\s+/);
    if (rows?.some((row) => !TOKEN.test(row))) return `${listen.tokenFile} holds no token`;
    const changed = () => {
      const newer = tryRead(receiver.tokenFile);
      if (newer !== undefined && TOKEN.test(newer)) token = newer;
      else diagnostics.error('the token file cannot be used; the last good token stays');
    };
    if (receiver.tokenFile !== '')
      watchFile(receiver.tokenFile, { interval: 1_000, persistent: false }, changed);
    return {
      token: () => token,
      producerTokens:
        rows && new Set(rows.map((row) => createHash('sha256').update(row).digest('hex'))),
      ca: receiver.caFile === '' ? undefined : read(receiver.caFile),
      close: () => {
        if (receiver.tokenFile !== '') unwatchFile(receiver.tokenFile, changed);
      },
    };
  } catch (error) {
    return (error as Error).message;
  }
}

const read = (path: string): string => readFileSync(path, 'utf8').trim();

function tryRead(path: string): string | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}

function greeting(forwarder: Forwarder, config: ForwardConfig, colour: boolean): string {
  const bold = (text: string) =>
    colour ? styleText('bold', text, { validateStream: false }) : text;
  return [
    bold('Waybill forwards.'),
    `  Producers send to   ${forwarder.ingestUrl}/v1/ingest/…`,
    ...(config.listen.socket === '' ? [] : [`  and to the socket   ${config.listen.socket}`]),
    `  Status              ${forwarder.statusUrl}`,
    `  Lines go to         ${config.receiver.urls.join(', ')}`,
    '',
  ].join('\n');
}
