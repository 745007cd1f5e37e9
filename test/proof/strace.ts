/**
 * What strace(1) saw of a process: system calls in the order in which they began and ended, over all of its threads.
 *
 * strace stops a thread where a call begins and where it ends, and writes down what it sees in that order. So the number of
 * a line is a clock that all threads share: what ended on an earlier line than another call's first had ended before that
 * one could do anything.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface SystemCall {
  readonly name: string;
  /** Its arguments as strace writes them. */
  readonly args: string;
  /** The result, or -1 with the code in `error`. Undefined when it never ended. */
  readonly result: number | undefined;
  readonly error: string | undefined;
  /** strace made up the result: the call was never carried out. */
  readonly injected: boolean;
  /** Line of the trace where it began, and where it ended (Infinity: never). */
  readonly begun: number;
  readonly ended: number;
}

/** What is traced: everything by which data gets onto a disk, a name into a folder, or an answer onto the wire. */
const TRACED =
  'openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,sendto,sendmsg';

/** Why strace cannot be used here; undefined when it can. */
export function straceMissing(): string | undefined {
  if (process.platform !== 'linux') return 'strace is for Linux';
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, 'strace'), constants.X_OK);
      return undefined;
    } catch {
      // Looked for in the next one.
    }
  }
  return 'strace is not installed here';
}

/**
 * The command line that runs a program under strace. The program stays the process that is started (`-D`), so that signals
 * reach it.
 *
 * @param inject what strace makes up, as after its `-e inject=`
 */
export function straceCommand(tracePath: string, inject: readonly string[] = []): string[] {
  const flags = `-D -f -q -yy -s 4096 -e trace=${TRACED}`.split(' ');
  const faults = inject.flatMap((what) => ['-e', `inject=${what}`]);
  return ['strace', ...flags, ...faults, '-o', tracePath];
}

const LINE = /^(\d+) +(.*)$/;
const CALL = /^(\w+)\((.*)$/s;
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)$/s;
const UNFINISHED = ' <unfinished ...>';
/** The last `) = <result>` of a line; arguments may hold the same text. */
const RESULT =
  /^(.*)\) += (-?\d+|\?)(?:<.*?>)?(?: (E\w+))?[^)"]*(?:\([^"]*\))?(?: \(INJECTED\))?$/s;

/** Reads a trace. Signals and exits are passed over; a line that is none of strace's is an error. */
export function readTrace(text: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, { name: string; args: string; begun: number }>();
  for (const [number, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const match = LINE.exec(line);
    if (!match) throw new Error(`line ${number + 1} of the trace is none of strace's: ${line}`);
    const [, thread, event] = match as unknown as [string, string, string];
    if (event.startsWith('+++') || event.startsWith('---')) continue;
    const resumed = RESUMED.exec(event);
    const call = resumed ? open.get(thread) : begunCall(event, number);
    if (!call) throw new Error(`line ${number + 1} of the trace cannot be read: ${line}`);
    if (resumed) open.delete(thread);
    const rest = resumed ? `${call.args}${resumed[2]}` : call.args;
    if (rest.endsWith(UNFINISHED)) {
      open.set(thread, { ...call, args: rest.slice(0, -UNFINISHED.length) });
      continue;
    }
    calls.push(endedCall({ ...call, args: rest }, number));
  }
  for (const call of open.values())
    calls.push({ ...call, result: undefined, error: undefined, injected: false, ended: Infinity });
  return calls;
}

function begunCall(event: string, begun: number) {
  const match = CALL.exec(event);
  return match ? { name: match[1]!, args: match[2]!, begun } : undefined;
}

function endedCall(call: { name: string; args: string; begun: number }, ended: number): SystemCall {
  const match = RESULT.exec(call.args);
  if (!match) throw new Error(`line ${ended + 1} of the trace has no result: ${call.args}`);
  const result = match[2] === '?' ? undefined : Number(match[2]);
  return {
    ...call,
    args: match[1]!,
    result,
    error: match[3],
    injected: call.args.endsWith('(INJECTED)'),
    ended: result === undefined ? Infinity : ended,
  };
}

/** What the descriptor in front of the arguments stands for: a path, or `TCP:[own->other]`. */
export function descriptorOf({ args }: SystemCall): string | undefined {
  return /^\d+<((?:->|[^<>])*)>/.exec(args)?.[1];
}

/** All bytes that the arguments show, joined. `cut` when strace left some out. */
export function bytesOf({ args }: SystemCall): { readonly text: string; readonly cut: boolean } {
  let text = '';
  let cut = false;
  for (const match of args.matchAll(/"((?:[^"\\]|\\.)*)"(\.\.\.)?/gs)) {
    text += unescaped(match[1]!);
    cut ||= match[2] !== undefined;
  }
  return { text, cut };
}

/** Paths among the arguments, in order. */
export function pathsOf({ args }: SystemCall): string[] {
  return [...args.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map((match) => unescaped(match[1]!));
}

const LETTERS: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  f: '\f',
  '"': '"',
  '\\': '\\',
};

/** One character for one byte. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{1,3}|.)/gs, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (LETTERS[code] ?? code),
  );
}
