/**
 * Servers that we did not write, for the long suite: each from the registry where it lives, in an exact version, kept in
 * `.cache/servers/`, which is not part of the project. Built or installed when `WAYBILL_TEST_SERVERS=build`; otherwise what is
 * there is used, and what is not is a reason to skip.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Recipe } from './recipes.ts';

const CACHE = resolve(import.meta.dirname, '../../.cache/servers');

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
  const command = recipe.command ?? (isScript ? process.execPath : program);
  const child = spawn(command, isScript ? [program, ...args] : args, {
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
  // Two minutes: a broker on a machine that is busy with other suites takes more than one.
  for (let tries = 0; tries < 2_400 && child.exitCode === null; tries += 1) {
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

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
