/** What a power cut or a kill in the midst of a write leaves behind the last commit, and what strikes by chance too seldom to wait for. */
import { randomBytes } from 'node:crypto';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const FRAME_MAGIC = 'WBFR';

/** Leaves the beginning of a frame, and some of what would have followed, at the end of the newest segment of a dead process. */
export async function leaveTornTail(dataDir: string): Promise<void> {
  const log = join(dataDir, 'shards', '0', 'log');
  const newest = (await readdir(log))
    .filter((name) => name.endsWith('.seg'))
    .toSorted()
    .at(-1);
  if (newest === undefined) return;
  const rest = randomBytes(1 + Math.floor(Math.random() * 20_000));
  await appendFile(join(log, newest), Buffer.concat([Buffer.from(FRAME_MAGIC), rest]));
}
