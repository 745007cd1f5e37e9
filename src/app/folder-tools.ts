/** The offline tools on the machine's own files: where they write, and that they overwrite nothing. */
import { mkdir, open, readdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Target, Write } from '../check/index.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import type { FolderTools, Misuse } from '../model/folder-lines.ts';

/** The checker's code is loaded when it is asked for: a server has no use for it. */
const checker = () => import('../check/index.ts');

export const folderTools: FolderTools = {
  async list(directory) {
    return (await checker()).listFolder(nodeFileSystem(), directory);
  },
  async export(directory, wanted, output) {
    const { exportLines } = await checker();
    if (output === undefined) {
      process.stdout.on('error', endQuietly);
      return await exportLines(nodeFileSystem(), directory, wanted, toStandardOutput);
    }
    const file = await newFile(output);
    if ('misuse' in file) return file;
    try {
      return await exportLines(nodeFileSystem(), directory, wanted, file.write);
    } finally {
      await file.close();
    }
  },
  async salvage(directory, target) {
    const unusable = await makeTarget(directory, target);
    if (unusable !== undefined) return { misuse: unusable };
    const into: Target = {
      async file(name) {
        const file = await newFile(join(target, name));
        if ('misuse' in file) throw new Error(file.misuse);
        return file;
      },
    };
    return await (await checker()).salvageFolder(nodeFileSystem(), directory, into);
  },
};

const toStandardOutput: Write = (bytes) =>
  new Promise((done, fail) => {
    process.stdout.write(bytes, (error) => (error ? fail(error) : done()));
  });

/** Whoever reads has seen enough: no failure, as with any command in a pipe. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
}

/** A file that is made here and synced when it is closed. */
async function newFile(path: string): Promise<Misuse | { write: Write; close(): Promise<void> }> {
  try {
    const file = await open(path, 'wx', 0o600);
    return {
      // All of it: a single write may take less.
      write: (bytes) => file.writeFile(bytes),
      async close() {
        await file.sync();
        await file.close();
      },
    };
  } catch (error) {
    return {
      misuse: `${path} cannot be made: ${codeOf(error)}. Name a file that is not there yet.`,
    };
  }
}

/** Makes the folder; or says why it cannot take what is saved. */
async function makeTarget(directory: string, target: string): Promise<string | undefined> {
  const inside = relative(resolve(directory), resolve(target));
  if (!inside.startsWith('..')) {
    return `${target} lies in the data folder itself; name a folder outside of it`;
  }
  try {
    await mkdir(target, { recursive: true, mode: 0o700 });
    if ((await readdir(target)).length > 0) return `${target} is not empty; name a new folder`;
  } catch (error) {
    return `${target} cannot be made: ${codeOf(error)}`;
  }
  return undefined;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
