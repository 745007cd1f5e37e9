import { runCli } from '../../src/cli/index.ts';
import type { Server } from './server.ts';

/** What a command has said, and its exit code. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly note: string;
}

/** Runs a command of the command line against a server, as its operator. */
export async function waybill(server: Server, ...args: string[]): Promise<Said> {
  let out = '';
  let note = '';
  const context = {
    output: {
      out: (text: string) => void (out += text),
      note: (text: string) => void (note += text),
      colour: false,
      live: false,
      columns: 120,
    },
    environment: { WAYBILL_URL: server.controlUrl, WAYBILL_TOKEN: server.operatorToken },
    input: (async function* () {})(),
  };
  const never = () => Promise.reject(new Error('no command of these tests serves or checks'));
  const forward = () => Promise.resolve({ settings: [], run: never });
  const folderTools = { list: never, export: never, salvage: never };
  const parts = {
    version: '0',
    serve: never,
    forward,
    checkDirectory: never,
    folderTools,
    rebuildStore: never,
  };
  const code = await runCli(args, context, parts);
  return { code, out, note };
}
