/** The real forwarder as a process of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { MAIN } from './server.ts';

export interface ForwarderOptions {
  readonly dataDir: string;
  readonly token: string;
  readonly receivers: readonly string[];
  readonly wantedUrl: string;
  /** 0: the system chooses. */
  readonly listenPort?: number;
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What `/v1/status` says, as far as tests look at it. */
interface ForwarderStatus {
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly wanted: {
    readonly state: 'current' | 'last_good' | 'none';
    readonly version: number | null;
    readonly streams: number | null;
    readonly problem: string | null;
    readonly refused: number;
  };
  readonly spool: { readonly waitingLines: number; readonly heldBytes: number };
  readonly lines: {
    readonly accepted: number;
    readonly delivered: number;
    readonly unwanted: number;
    readonly dropped: Readonly<Record<string, number>>;
  };
  readonly receivers: readonly { readonly name: string; readonly state: string }[];
  readonly tail: {
    readonly files: number;
    readonly behindBytes: number;
    readonly acceptedLines: number;
    readonly lostBytes: number;
  } | null;
}

export interface ForwarderProcess {
  readonly child: ChildProcess;
  readonly ingestUrl: string;
  readonly statusUrl: string;
  log(): string;
  status(): Promise<ForwarderStatus>;
  /** Sends a signal and resolves with the exit code, or the signal's name. */
  end(signal: NodeJS.Signals): Promise<number | string>;
}

/** Starts a forwarder and resolves when it takes lines. */
export async function startForwarder(options: ForwarderOptions): Promise<ForwarderProcess> {
  const { dataDir, token, receivers, wantedUrl, flags = [] } = options;
  const { listenPort = 0, environment = {} } = options;
  const child = spawn(
    process.execPath,
    [
      MAIN,
      'forward',
      '--data-dir',
      dataDir,
      '--receiver-urls',
      receivers.join(','),
      '--wanted-url',
      wantedUrl,
      '--deliver-interval-ms',
      '200',
      '--listen-port',
      String(listenPort),
      '--status-port',
      '0',
      ...flags,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, UV_THREADPOOL_SIZE: '8', WAYBILL_TOKEN: token, ...environment },
    },
  );
  let written = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written = (written + text).slice(-1_000_000);
  });
  const exited = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'gone')),
  );
  const said = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (/Lines go to .*\n/.test(text)) resolve(text);
    });
    void exited.then((code) =>
      reject(new Error(`the forwarder ended (${code}) before it was ready:\n${written}`)),
    );
  });
  const statusUrl = /Status +(\S+)/.exec(said)![1]!;
  return {
    child,
    ingestUrl: /Producers send to +(\S+)\/v1\/ingest/.exec(said)![1]!,
    statusUrl,
    log: () => written,
    async status() {
      return (await (await fetch(`${statusUrl}/v1/status`)).json()) as ForwarderStatus;
    },
    async end(signal) {
      child.kill(signal);
      return exited;
    },
  };
}
