import { join } from 'node:path';
import { openKeptLines } from '../ledger/index.ts';
import type { KeptLines } from '../ledger/index.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { openOrSetAside } from './set-aside.ts';
import { limits } from '../model/limits.ts';

/** Opens the lines kept apart in a ledger's folder. */
export function keptLinesIn(folder: string, diagnostics: Diagnostics): KeptLines {
  const bounds = { lines: limits.ledger.keptLines, bytes: limits.ledger.keptBytes };
  const damaged = (what: string): void => diagnostics.alarm('ledger.kept_lines_damaged', { what });
  return openOrSetAside(
    join(folder, 'kept-lines.db'),
    (path) => openKeptLines(path, bounds, damaged),
    diagnostics,
  );
}
