/**
 * Flips bytes of the SQLite files in `ledger/` and opens each time what is left (I10): they help and are not needed to go on, so
 * nothing in them may keep a server from starting, and a line that decayed is never handed out as its owner's.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { keptLinesIn } from '../../src/app/kept-lines.ts';
import { openAttemptStore, openBooks } from '../../src/ledger/index.ts';
import type { KeptLineEntry } from '../../src/ledger/index.ts';
import { silent } from '../../src/lib/diagnostics.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { openOrSetAside } from '../../src/app/set-aside.ts';
import { openLossStore } from '../../src/loss/index.ts';
import { limits } from '../../src/model/limits.ts';
import { openAlertStore } from '../../src/watch/index.ts';
import { filesOf } from './folder.ts';
import { spread } from './sweep.ts';
import type { Stretch, Sweep } from './sweep.ts';

/** Its files, by their path within a data folder. */
export const LEDGER_FILES = /^ledger\/[^/]*\.db$/;
const SCOPES = [{ kind: 'zone', id: 'z1' }] as const;
const KEPT: readonly KeptLineEntry[] = Array.from({ length: 4 }, (_, offset) => ({
  account: 'a1',
  stream: 'zones/z1/http_requests',
  reason: 'malformed',
  job: 1,
  offset,
  detail: 'it is no object',
  atMs: 1_793_880_000_000 + offset,
  bytes: Buffer.from(`{"kept":${offset}}`),
}));

/**
 * @param directory a data folder; it is only read
 * @param most how many bytes are flipped
 */
export async function sweepLedger(
  directory: string,
  most: number,
  stretch?: Stretch,
): Promise<Sweep> {
  const work = await mkdtemp(join(tmpdir(), 'waybill-sweep-ledger-'));
  const original = new Map<string, Buffer>();
  for (const [name, bytes] of await filesOf(directory))
    if (LEDGER_FILES.test(name)) original.set(basename(name), bytes);
  original.set('kept-lines.db', await keptLines(work));
  const problems: string[] = [];
  let flips = 0;
  for (const { name, at, changed } of spread(original, most, stretch)) {
    flips++;
    for (const left of await readdir(work)) await rm(join(work, left), { recursive: true });
    await writeFile(join(work, name), changed);
    try {
      problems.push(...(await openOne(work, name)).map((what) => `${name} byte ${at}: ${what}`));
    } catch (error) {
      problems.push(`${name} byte ${at}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  await rm(work, { recursive: true });
  return { flips, problems };
}

/** A file with some lines kept. */
async function keptLines(work: string): Promise<Buffer> {
  const store = keptLinesIn(work, silent);
  store.keepNewest(KEPT);
  store.close();
  return (await filesOf(work)).get('kept-lines.db')!;
}

/** Opens a file as the server does, and looks at all that it holds. */
async function openOne(work: string, name: string): Promise<string[]> {
  const path = join(work, name);
  const alarms: string[] = [];
  const diagnostics = { ...silent, alarm: (event: string) => void alarms.push(event) };
  switch (name) {
    case 'attempts.db':
      openOrSetAside(path, (at) => openAttemptStore(at, 10), diagnostics).close();
      return [];
    case 'alerts.db':
      openOrSetAside(path, openAlertStore, diagnostics).close();
      return [];
    case 'losses.db': {
      const store = openOrSetAside(
        path,
        (at) => openLossStore(at, 0, limits.lossNotices),
        diagnostics,
      );
      store.jobs();
      store.close();
      return [];
    }
    case 'books.db': {
      const files = nodeFileSystem();
      (await openBooks({ files, archives: [work], path, diagnostics })).close();
      return [];
    }
    default: {
      const store = keptLinesIn(work, diagnostics);
      const problems = judgeKept(() => store.list(SCOPES, 10, 0), alarms);
      store.close();
      return problems;
    }
  }
}

function judgeKept(list: () => readonly KeptLineEntry[], alarms: readonly string[]): string[] {
  let found: readonly KeptLineEntry[];
  try {
    found = list();
  } catch {
    // What SQLite cannot read is told to whoever asks.
    return [];
  }
  const known = new Set(KEPT.map(textOf));
  const wrong = found.filter((line) => !known.has(textOf(line)));
  if (wrong.length > 0) return [`a line is wrong: ${JSON.stringify(wrong[0])}`];
  const silent = found.length < KEPT.length && alarms.length === 0;
  return silent ? [`${KEPT.length - found.length} lines are gone and nobody is told`] : [];
}

const textOf = ({ account, bytes, job, offset, reason, stream }: KeptLineEntry): string =>
  JSON.stringify([account, stream, reason, job, offset, Buffer.from(bytes).toString()]);
