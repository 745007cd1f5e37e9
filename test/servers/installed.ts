/**
 * Servers that we did not write, for the long suite: each from the registry where it lives, in an exact version, kept in
 * `.cache/servers/`, which is not part of the project. Built or installed when `WAYBILL_TEST_SERVERS=build`; otherwise what is
 * there is used, and what is not is a reason to skip.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const CACHE = resolve(import.meta.dirname, '../../.cache/servers');
const run = promisify(execFile);

export interface Recipe {
  /** Name and exact version; also the folder's. */
  readonly name: string;
  /** Relative to its folder; there when it is ready. */
  readonly program: string;
  /** Where libraries of its own lie, relative to its folder. */
  readonly libraries?: string;
  /** Puts the program into `folder`. */
  install(folder: string): Promise<unknown>;
}

/** A Go program whose module has no replacements. */
function goInstall(path: string) {
  return (folder: string) =>
    run('go', ['install', path], { env: goEnv(folder), maxBuffer: 64 << 20 });
}

/** One package at a time: a small machine does not hold more. */
function goEnv(folder: string) {
  return { ...process.env, GOBIN: folder, GOFLAGS: '-p=1 -buildvcs=false -mod=mod' };
}

/** A Go program of a module that replaces some of what it needs: built inside a module that does the same. */
async function buildVictoriaLogs(folder: string): Promise<void> {
  const module = [
    'module waybill-test-server',
    'go 1.23.5',
    'require github.com/VictoriaMetrics/VictoriaMetrics v1.110.0',
    'replace cloud.google.com/go/storage => cloud.google.com/go/storage v1.43.0',
  ];
  await writeFile(join(folder, 'go.mod'), `${module.join('\n')}\n`);
  const path = 'github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-logs';
  const options = { cwd: folder, env: goEnv(folder), maxBuffer: 64 << 20 };
  await run('go', ['build', '-o', 'victoria-logs', path], options);
}

export const VICTORIA_LOGS: Recipe = {
  name: 'victoria-logs-1.110.0',
  program: 'victoria-logs',
  install: buildVictoriaLogs,
};

export const FAKE_GCS: Recipe = {
  name: 'fake-gcs-server-1.56.1',
  program: 'fake-gcs-server',
  install: goInstall('github.com/fsouza/fake-gcs-server@v1.56.1'),
};

export const AZURITE: Recipe = {
  name: 'azurite-3.37.0',
  program: 'node_modules/azurite/dist/src/blob/main.js',
  install: (folder) =>
    run(
      'npm',
      ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', 'azurite@3.37.0'],
      {
        maxBuffer: 64 << 20,
      },
    ),
};

/** S3, STS and Kinesis of AWS, rebuilt by people who test against the real ones. */
export const MOTO: Recipe = {
  name: 'moto-5.2.5',
  program: 'bin/moto_server',
  async install(folder) {
    await run('python3', ['-m', 'venv', folder]);
    const pip = join(folder, 'bin/pip');
    await run(pip, ['install', '-q', 'moto[server,s3,sts,kinesis]==5.2.5'], {
      maxBuffer: 64 << 20,
    });
  },
};

/** Debian's package, unpacked and not installed; its libraries lie beside it. */
export const RSYSLOG: Recipe = {
  name: 'rsyslog',
  program: 'usr/sbin/rsyslogd',
  libraries: 'usr/lib/x86_64-linux-gnu',
  async install(folder) {
    const packages = ['rsyslog', 'libestr0', 'libfastjson4', 'liblognorm5'];
    await run('apt-get', ['download', ...packages], { cwd: folder });
    for (const file of await readdir(folder))
      if (file.endsWith('.deb')) await run('dpkg', ['-x', join(folder, file), folder]);
  },
};

export interface Running {
  readonly port: number;
  /** Its own folder, gone when it stops. */
  readonly folder: string;
  /** Lets it do nothing more until it is stopped. */
  pause(): void;
  stop(): Promise<void>;
}

/**
 * @param argumentsFor the program's arguments, for a port and a folder of its own
 * @returns why there is none, in plain words, or the server
 */
export async function startInstalled(
  recipe: Recipe,
  argumentsFor: (
    port: number,
    folder: string,
    home: string,
  ) => readonly string[] | Promise<readonly string[]>,
): Promise<Running | { readonly skipped: string }> {
  const home = join(CACHE, recipe.name);
  const program = resolve(home, recipe.program);
  const missing = await installIfAsked(recipe, home, program);
  if (missing !== undefined) return { skipped: missing };
  const folder = await mkdtemp(join(tmpdir(), 'waybill-server-'));
  const port = await freePort();
  const args = await argumentsFor(port, folder, home);
  const isScript = program.endsWith('.js');
  const child = spawn(isScript ? process.execPath : program, isScript ? [program, ...args] : args, {
    stdio: 'ignore',
    cwd: folder,
    env: recipe.libraries
      ? { ...process.env, LD_LIBRARY_PATH: join(home, recipe.libraries) }
      : process.env,
  });
  child.on('error', () => {});
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  const stop = async (): Promise<void> => {
    process.off('exit', end);
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 600 && child.exitCode === null; tries += 1) {
    if (await answers(port)) return { port, folder, pause: () => void child.kill('SIGSTOP'), stop };
    await sleep(50);
  }
  await stop();
  return { skipped: `${recipe.name} does not start` };
}

async function installIfAsked(
  recipe: Recipe,
  home: string,
  program: string,
): Promise<string | undefined> {
  if (existsSync(program)) return undefined;
  if (process.env['WAYBILL_TEST_SERVERS'] !== 'build')
    return `${recipe.name} is not there; WAYBILL_TEST_SERVERS=build installs it`;
  try {
    await mkdir(home, { recursive: true });
    await recipe.install(home);
    return existsSync(program) ? undefined : `${recipe.name}: installing left no program`;
  } catch {
    return `${recipe.name} could not be installed`;
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const up = await new Promise<boolean>((done) => {
    socket.on('connect', () => done(true));
    socket.on('error', () => done(false));
  });
  socket.destroy();
  return up;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
