/** Flips bytes of the control store, of the data plane's copy of it and of its key, and opens each time what is left (I4, I10). */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { openControl } from '../../src/control/index.ts';
import type { ControlDeps } from '../../src/control/index.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silent as diagnostics } from '../../src/lib/diagnostics.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { idleDataPlane } from '../support/control.ts';
import { filesOf } from './folder.ts';
import { spread } from './sweep.ts';
import type { Stretch, Sweep } from './sweep.ts';

/** Its files, by their path within a data folder. */
export const CONTROL_FILES = /^(control\.db(-wal)?|secrets\.key|snapshots\/.*)$/;

export type Opened =
  | { readonly kind: 'open'; readonly configuration: string }
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Opens a control room and says what configuration it would put in force. */
export async function openConfiguration(directory: string): Promise<Opened> {
  const deps: ControlDeps = {
    files: nodeFileSystem(),
    directory,
    keys: { kind: 'file', path: join(directory, 'secrets.key') },
    mustExist: true,
    clock,
    random,
    diagnostics,
    policy: { allowHttp: true, fileRoots: [] },
    publish: () => Promise.resolve(),
    dataPlane: idleDataPlane(),
    version: '0.0.0-test',
  };
  const opened = await openControl(deps);
  if (opened.kind === 'unreadable') return opened;
  const configuration = JSON.stringify(opened.control.snapshot());
  await opened.control.close();
  return { kind: 'open', configuration };
}

/**
 * Whatever is damaged, the configuration is the same as before: store and copy stand in for each other. Only without the key
 * there is no start, and it says where the key lies.
 *
 * @param directory a data folder; it is only read
 * @param work an empty folder
 */
export async function sweepControl(
  directory: string,
  work: string,
  most: number,
  stretch?: Stretch,
): Promise<Sweep> {
  const files = new Map(
    [...(await filesOf(directory))].filter(([name]) => CONTROL_FILES.test(name)),
  );
  const put = async (all: ReadonlyMap<string, Buffer>): Promise<void> => {
    for (const name of (await filesOf(work)).keys()) await rm(join(work, name));
    for (const [name, bytes] of all) {
      await mkdir(dirname(join(work, name)), { recursive: true });
      await writeFile(join(work, name), bytes);
    }
  };
  await put(files);
  const before = await openConfiguration(work);
  if (before.kind === 'unreadable') throw new Error(before.detail);
  const problems: string[] = [];
  let flips = 0;
  for (const { name, at, changed } of spread(files, most, stretch)) {
    flips++;
    await put(new Map(files).set(name, changed));
    const tell = (problem: string): void => void problems.push(`${name} byte ${at}: ${problem}`);
    try {
      const first = await openConfiguration(work);
      const second = await openConfiguration(work);
      if (first.kind !== second.kind) tell('the second start sees something else');
      if (first.kind === 'unreadable') {
        if (name !== 'secrets.key') tell(`refused: ${first.detail}`);
        if (!first.detail.includes(work)) tell(`it does not say where: ${first.detail}`);
        if (first.detail.includes('    at ')) tell(`a stack trace: ${first.detail}`);
      } else if (first.configuration !== before.configuration) tell('another configuration');
    } catch (error) {
      tell(`it fails: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  return { flips, problems };
}
