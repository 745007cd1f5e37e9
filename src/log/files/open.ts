/** Opens a log over files: takes the lock, looks at what is there, begins a segment of its own. */
import { join } from 'node:path';

import { FsError } from '../../lib/fs/file-system.ts';
import type { Lock } from '../../lib/fs/file-system.ts';
import type { Damage, OpenOutcome, Position } from '../contract.ts';
import { FilesLog } from './files-log.ts';
import { alignUp } from './format.ts';
import { LOCK_NAME } from './names.ts';
import type { FilesLogOptions } from './options.ts';
import { findSegments } from './recover.ts';
import { bestEffort, cutPast } from './segment.ts';
import { Segments, makeLogDirectory } from './segments.ts';

/**
 * Opens one shard's log, made when it is missing.
 *
 * What was durable is there in order and whole. Groups that a crash left without an answer are there whole or not at all.
 * Each opening begins a new segment; the ones before are never written again.
 */
export async function openFilesLog(options: FilesLogOptions): Promise<OpenOutcome> {
  let lock: Lock | undefined;
  try {
    await makeLogDirectory(options);
    const taken = await options.files.lock(join(options.directory, LOCK_NAME));
    if (taken === 'held') {
      return { kind: 'locked', detail: `${options.directory} is in use by another process` };
    }
    lock = taken;
    options.onStep?.('locked');
    const outcome = await openLocked(options, lock);
    if (outcome.kind !== 'open') await lock.release();
    return outcome;
  } catch (error) {
    if (lock) await bestEffort(lock.release());
    if (!(error instanceof FsError)) throw error;
    return { kind: 'failed', detail: error.message };
  }
}

async function openLocked(options: FilesLogOptions, lock: Lock): Promise<OpenOutcome> {
  const { files, directory, diagnostics } = options;
  const { inMemory } = await files.space(directory);
  const found = await findSegments(options);
  if (found.kind === 'unreadable') return found;
  options.onStep?.('scanned');
  for (const draft of found.drafts) await bestEffort(files.unlink(join(directory, draft)));

  const damage: Damage[] = [...found.damage];
  const epoch = found.epoch + 1;
  const segments = new Segments(options, epoch, found.segments);
  const before = found.segments.at(-1);
  if (before === undefined && options.knownEnd) {
    const to = alignUp(options.knownEnd);
    damage.push({ from: 0 as Position, to, reason: 'all segments are missing' });
    segments.beginAt(to);
  }
  if ((await segments.openNext(found.tail)) === 'fenced') {
    return { kind: 'locked', detail: `${directory} was opened by another process meanwhile` };
  }
  // Replaced, it is not there any more: its name is now the new one's.
  if (before && segments.all.includes(before)) await cutPast(options, before);
  options.onStep?.('tail-cut');

  if (inMemory) diagnostics.warn('log.in_memory', { directory });
  const { tornTailBytes } = found;
  if (tornTailBytes > 0) diagnostics.warn('log.torn_tail_cut', { directory, bytes: tornTailBytes });
  for (const { from, to, reason } of damage) {
    diagnostics.alarm('log.damage', { directory, from, to, reason });
  }
  const durability = inMemory ? 'memory' : 'disk';
  const log = new FilesLog(options, { epoch, durability, lock, segments });
  options.onStep?.('opened');
  return { kind: 'open', log, damage, tornTailBytes };
}
