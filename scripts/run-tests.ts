// Runs tests with node:test, bounds the whole, and ends with one line that a machine can read:
//
//   12 passed, 0 failed, 1 skipped
//
// node scripts/run-tests.ts [--timeout-min 3] [--name <regular expression>] [--depth quick|short|full] \
//   [--isolation none|process] [--concurrency 2] <glob>… [!<glob>…] [--and <the same for more tests>]
//
// --isolation none: the files share as many processes as --concurrency says; process: each has one of its own.
// Files run in the order of the globs: what takes longest stands first, so that nothing long is left over at the end.
// --depth: what src/lib/testing/depth.ts says.
//
// Exit code 1 when a test failed, when a glob matches no file, when a file holds no test, when time is up,
// and when the process that runs the tests ends before it said that it is done.
//
// The tests run in a child process, so that the bound holds even against a test that blocks the event
// loop; the child is the leader of a process group, so that what tests started ends with it. The group's memory is
// bounded too: a test that runs away ends by itself, and not with the machine.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { globSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect, parseArgs } from 'node:util';
import { groupBytes } from './group-memory.ts';

type Isolation = 'none' | 'process';

interface Group {
  readonly files: readonly string[];
  readonly isolation: Isolation;
  readonly concurrency: number;
  readonly name: string | undefined;
}

/** What the child says of one test, or of a hook or file that failed outside of any test. */
interface Result {
  readonly kind: 'passed' | 'failed' | 'skipped';
  readonly file: string;
  readonly path: readonly string[];
  readonly ms: number;
  readonly why: string;
}

type Message =
  | { readonly type: 'running'; readonly key: string; readonly label: string }
  | { readonly type: 'ended'; readonly key: string }
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'holds'; readonly file: string }
  | { readonly type: 'done' };

const totals = { passed: 0, failed: 0, skipped: 0 };
const slow: Result[] = [];

/** All processes that one group's tests have started, taken together. */
const MOST_BYTES = 8 * 2 ** 30;
/** The objects of one process that runs tests. */
const MOST_HEAP_MIB = 2_048;
/** Compiled code is kept: every start of the real process by a test would strip and compile the same files again. */
const COMPILED = fileURLToPath(new URL('../node_modules/.cache/waybill', import.meta.url));

/** Parent: splits the command line, runs one child per group, sums up. */
async function main(): Promise<void> {
  const started = performance.now();
  const { groups, timeoutMin, depth } = readCommandLine(process.argv.slice(2));
  const deadline = started + timeoutMin * 60_000;
  process.env['WAYBILL_TEST_DEPTH'] = depth;
  process.env['NODE_COMPILE_CACHE'] ??= COMPILED;
  for (const group of groups) {
    await Promise.all(parts(group).map((part) => runGroup(part, deadline, timeoutMin)));
  }
  const found = totals.passed + totals.failed + totals.skipped;
  if (found === 0) say('No test was found.');
  for (const { path, file, ms } of slow.toSorted((a, b) => b.ms - a.ms).slice(0, 5)) {
    say(`slow: ${(ms / 1000).toFixed(1)} s  ${file}: ${path.join(' > ')}`);
  }
  say(`\n${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (depth !== 'full') say(`what is tried at random or in turn: ${depth} runs, not all`);
  say(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  process.exitCode = totals.failed > 0 || found === 0 ? 1 : 0;
}

/** Files that share a process are dealt out to as many as may run at once. */
function parts(group: Group): Group[] {
  if (group.isolation === 'process') return [group];
  const count = Math.min(group.concurrency, group.files.length);
  return Array.from({ length: count }, (_, part) => {
    return { ...group, files: group.files.filter((_file, index) => index % count === part) };
  });
}

interface CommandLine {
  readonly groups: readonly Group[];
  readonly timeoutMin: number;
  readonly depth: string;
}

function readCommandLine(args: readonly string[]): CommandLine {
  const lines: string[][] = [[]];
  for (const arg of args) {
    if (arg === '--and') lines.push([]);
    else lines.at(-1)?.push(arg);
  }
  let timeoutMin = 10;
  let name: string | undefined;
  let depth = 'full';
  const groups = lines.map((part): Group => {
    const { values, positionals } = parseArgs({
      args: part,
      allowPositionals: true,
      options: {
        isolation: { type: 'string', default: 'process' },
        concurrency: { type: 'string', default: '2' },
        'timeout-min': { type: 'string' },
        name: { type: 'string' },
        depth: { type: 'string' },
      },
    });
    depth = values.depth ?? depth;
    if (values['timeout-min'] !== undefined) timeoutMin = positive(values['timeout-min']);
    name = values.name ?? name;
    const { isolation } = values;
    if (isolation !== 'none' && isolation !== 'process') {
      throw new Error(`--isolation is none or process, not ${isolation}`);
    }
    const concurrency = positive(values.concurrency);
    return { files: findFiles(positionals), isolation, concurrency, name };
  });
  return { groups: groups.map((group) => ({ ...group, name })), timeoutMin, depth };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`a number above 0 is needed, not ${text}`);
  return value;
}

function findFiles(globs: readonly string[]): string[] {
  const wanted = globs.filter((glob) => !glob.startsWith('!'));
  const unwanted = globs.filter((glob) => glob.startsWith('!')).map((glob) => glob.slice(1));
  const files = new Set<string>();
  for (const glob of wanted) {
    const found = globSync(glob, { exclude: ['**/node_modules/**', ...unwanted] });
    // A glob that has lost its files would otherwise look like success.
    if (found.length === 0) fail(glob, [], 'no file matches');
    for (const file of found.sort()) files.add(resolve(file));
  }
  return [...files];
}

/** For how long a group that has told of all its files may stay without a word. */
const MOST_IDLE_MS = 30_000;

function runGroup(group: Group, deadline: number, timeoutMin: number): Promise<void> {
  const running = new Map<string, string>();
  const untested = new Set(group.files.map(shorten));
  if (untested.size === 0) return Promise.resolve();
  if (deadline <= performance.now()) {
    fail(`${untested.size} files`, [], `not started: ${timeoutMin} minutes are over`);
    return Promise.resolve();
  }

  return new Promise((ended) => {
    const heap = `--max-old-space-size=${MOST_HEAP_MIB}`;
    const child = spawn(process.execPath, [heap, fileURLToPath(import.meta.url)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, RUN_TESTS_GROUP: JSON.stringify(group) },
      detached: true,
    });
    let done = false;
    let heardMs = performance.now();
    const timer = setTimeout(() => {
      fail('the whole run', [], `time is up (${timeoutMin} min), ${whatRuns(running, untested)}`);
      done = true;
      killGroup(child);
    }, deadline - performance.now());
    const memory = setInterval(() => {
      // Every file has spoken and nothing runs: what a test left open must not take the other groups' time.
      const isIdle = !done && running.size === 0 && untested.size === 0;
      if (isIdle && performance.now() - heardMs > MOST_IDLE_MS) {
        done = true;
        fail('the whole run', [], whatRuns(running, untested));
        // It says what is open, as far as it still can.
        child.send('end', () => {});
        setTimeout(() => killGroup(child), 2_000);
        return;
      }
      if (child.pid === undefined || groupBytes(child.pid) <= MOST_BYTES) return;
      const most = `${MOST_BYTES / 2 ** 30} GiB`;
      fail('the whole run', [], `more than ${most} of memory, ${whatRuns(running, untested)}`);
      done = true;
      killGroup(child);
    }, 1_000);
    const interrupted = (): void => {
      killGroup(child);
      process.exit(130);
    };
    process.on('SIGINT', interrupted).on('SIGTERM', interrupted);

    child.on('message', (message: Message) => {
      heardMs = performance.now();
      switch (message.type) {
        case 'running':
          running.set(message.key, message.label);
          break;
        case 'ended':
          running.delete(message.key);
          break;
        case 'result':
          untested.delete(message.result.file);
          count(message.result);
          break;
        case 'holds':
          untested.delete(message.file);
          break;
        case 'done':
          done = true;
          for (const file of untested) {
            if (group.name === undefined) fail(file, [], 'holds no test');
          }
          break;
      }
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      clearInterval(memory);
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
      killGroup(child);
      if (!done) {
        fail(
          'the whole run',
          [],
          `ended early (${signal ?? code}), ${whatRuns(running, untested)}`,
        );
      }
      ended();
    });
  });
}

function whatRuns(running: ReadonlyMap<string, string>, untested: ReadonlySet<string>): string {
  const list = (lines: Iterable<string>): string =>
    [...lines].map((line) => `\n  ${line}`).join('');
  if (running.size > 0) return `while running:${list(running.values())}`;
  if (untested.size > 0) return `before these files said anything:${list(untested)}`;
  return 'after the last test: one left a timer, a socket or a process open';
}

/** Ends the child and everything that it started and that is still there. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}

function count(result: Result): void {
  totals[result.kind] += 1;
  if (result.ms > 5000) slow.push(result);
  if (result.kind === 'passed') return;
  say(`${result.kind}: ${[result.file, ...result.path].join(' > ')}`);
  if (result.why !== '') say(result.why.replaceAll(/^/gm, '    '));
}

function fail(file: string, path: readonly string[], why: string): void {
  count({ kind: 'failed', file, path, ms: 0, why });
}

/** Child: runs one group and tells the parent of each test. */
async function runAsChild(group: Group): Promise<void> {
  const tell = (message: Message): void => {
    process.send?.(message);
  };
  process.on('disconnect', () => process.exit(1));
  // Asked when all is told and something of a test still keeps it.
  process.on('message', () => {
    process.stdout.write(`  open: ${process.getActiveResourcesInfo().join(', ')}\n`);
    process.exit(0);
  });
  // Without isolation node:test ends its stream when nothing but the stream is left to wait for.
  process.channel?.unref();

  const { isolation, concurrency } = group;
  const stream = run({
    files: [...group.files],
    isolation,
    ...(isolation === 'process' ? { concurrency, execArgv: process.execArgv } : {}),
    ...(group.name === undefined ? {} : { testNamePatterns: [group.name] }),
  });

  // Tests are told in the order of their definition, parents after children; a path is rebuilt from the starts.
  const paths = new Map<string, string[]>();
  const pathOf = (file: string, nesting: number, name: string): string[] => {
    const path = (paths.get(file) ?? []).slice(0, nesting);
    path[nesting] = name;
    paths.set(file, path);
    return path;
  };

  for await (const { type, data } of stream) {
    switch (type) {
      case 'test:dequeue': {
        const label = `${shorten(data.file ?? '')}: ${data.name}`;
        tell({ type: 'running', key: keyOf(data), label });
        break;
      }
      case 'test:complete':
        tell({ type: 'ended', key: keyOf(data) });
        break;
      case 'test:start':
        pathOf(data.file ?? '', data.nesting, data.name);
        break;
      case 'test:pass':
      case 'test:fail': {
        // A file without tests passes as a test of its own name.
        const isFile = data.nesting === 0 && resolve(data.name) === data.file;
        const error = type === 'test:fail' ? data.details.error : undefined;
        if (isFile && error === undefined) break;
        const skipped = isSet(data.skip) || isSet(data.todo);
        // Tests of a shared suite name the suite's file; what wraps them names the file that ran it.
        if (data.details.type === 'suite') tell({ type: 'holds', file: shorten(data.file ?? '') });
        const onlyBelow = error !== undefined && failureType(error) === 'subtestsFailed';
        if (onlyBelow || (data.details.type === 'suite' && error === undefined && !skipped)) break;
        const why = skipped ? reason(data.skip ?? data.todo) : explain(error);
        const kind = skipped ? 'skipped' : error === undefined ? 'passed' : 'failed';
        const path = isFile ? [] : pathOf(data.file ?? '', data.nesting, data.name);
        const file = shorten(data.file ?? '');
        tell({ type: 'result', result: { kind, file, path, ms: data.details.duration_ms, why } });
        break;
      }
      case 'test:stdout':
        process.stdout.write(data.message);
        break;
      case 'test:stderr':
        process.stderr.write(data.message);
        break;
      default:
    }
  }
  // Handles that a test left open do not keep us: what was told is in the channel, then out.
  process.send?.({ type: 'done' } satisfies Message, () => process.exit(0));
}

function keyOf(data: { file?: string; name: string; nesting: number; line?: number }): string {
  return `${data.file}:${data.line}:${data.nesting}:${data.name}`;
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}

function reason(mark: string | boolean | undefined): string {
  return typeof mark === 'string' ? mark : '';
}

function failureType(error: Error): unknown {
  return 'failureType' in error ? error.failureType : undefined;
}

function explain(error: Error | undefined): string {
  if (error === undefined) return '';
  const { cause } = error;
  if (!(cause instanceof Error)) return cause === undefined ? error.message : inspect(cause);
  const own = (cause.stack ?? cause.message)
    .split('\n')
    .filter((line) => !/^\s+at .*(node:internal|\(node:)/.test(line))
    .join('\n');
  const wrapped = cause.cause === undefined ? '' : `\ncause: ${inspect(cause.cause)}`;
  return own + wrapped;
}

function shorten(file: string): string {
  return relative(process.cwd(), file);
}

function say(line: string): void {
  console.log(line);
}

const handed = process.env['RUN_TESTS_GROUP'];
if (handed === undefined) {
  await main();
} else {
  delete process.env['RUN_TESTS_GROUP'];
  await runAsChild(JSON.parse(handed) as Group);
}
