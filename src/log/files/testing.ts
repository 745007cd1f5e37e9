/** Shared by the tests of the log over files: small limits, so that edges come early. */
import assert from 'node:assert/strict';

import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { silent } from '../../lib/diagnostics.ts';
import { writeAll } from '../../lib/fs/file-system.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import type { SimDisk } from '../../lib/fs/sim.ts';
import type { Damage, OpenOutcome, ShardLog } from '../contract.ts';
import type { FilesLogOptions } from './options.ts';

export const DIRECTORY = '/data/log';

/** Options with small limits over a file system. */
export function smallOptions(
  files: FileSystem,
  more: Partial<FilesLogOptions> = {},
): FilesLogOptions {
  return {
    files,
    directory: DIRECTORY,
    clock: systemClock,
    diagnostics: silent,
    segmentBytes: 4096,
    recordBytes: 2048,
    commitBytes: 8192,
    openSegments: 2,
    ...more,
  };
}

/** The outcome of opening, which must be an open log. */
export function opened(outcome: OpenOutcome): OpenOutcome & { readonly kind: 'open' } {
  assert.equal(outcome.kind, 'open', JSON.stringify(outcome));
  assert.ok(outcome.kind === 'open');
  return outcome;
}

/** Copies a log's files onto a simulated disk. */
export async function putFiles(
  files: FileSystem,
  content: ReadonlyMap<string, Buffer>,
): Promise<void> {
  await files.makeDirectory(DIRECTORY);
  for (const [name, bytes] of content) {
    const file = await files.open(`${DIRECTORY}/${name}`, 'create');
    await writeAll(file, [bytes], 0);
    await file.sync();
    await file.close();
  }
  await files.syncDirectory(DIRECTORY);
}

/** The segment files of a log, oldest first. */
export async function segmentFiles(disk: SimDisk): Promise<Map<string, Buffer>> {
  const content = new Map<string, Buffer>();
  for (const name of await disk.files().list(DIRECTORY)) {
    const bytes = disk.content(`${DIRECTORY}/${name}`);
    if (bytes && name.endsWith('.seg')) content.set(name, bytes);
  }
  return content;
}

/** A clock that stands still. */
export function clockAt(wallMs: number): Clock {
  return { ...systemClock, wallMs: () => wallMs };
}

/** Everything that can be read, past damage. */
export async function salvage(
  log: ShardLog,
): Promise<{ readonly texts: readonly string[]; readonly damage: readonly Damage[] }> {
  const texts: string[] = [];
  const damage: Damage[] = [];
  let position = log.start();
  while (position < log.durableEnd()) {
    const read = await log.read(position, 700);
    assert.ok(read.kind === 'records', read.kind);
    assert.ok(read.next > position, 'reading gets on');
    for (const { payload } of read.records) texts.push(payload.toString('latin1'));
    damage.push(...read.damage);
    position = read.next;
  }
  return { texts, damage };
}
