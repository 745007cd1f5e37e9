/** Log and buffer alone on a real folder, without a server around them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBuffer } from '../../src/buffer/index.ts';
import type { ShardBuffer } from '../../src/buffer/index.ts';
import type { BufferDeps, BufferLimits } from '../../src/buffer/deps.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silent as diagnostics } from '../../src/lib/diagnostics.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { openFilesLog } from '../../src/log/index.ts';
import { limits } from '../../src/model/limits.ts';

export interface BenchBuffer {
  readonly buffer: ShardBuffer;
  /** Closes it and removes its folder. */
  readonly end: () => Promise<void>;
}

/**
 * In a folder of its own in the system's temporary one.
 *
 * @param changed limits of the buffer that differ from those of a server
 * @param deps what a server hands in besides
 */
export async function openBenchBuffer(
  name: string,
  changed: Partial<BufferLimits['buffer']> = {},
  deps: Partial<Pick<BufferDeps, 'deflateMany' | 'ledger'>> = {},
): Promise<BenchBuffer> {
  const dir = mkdtempSync(join(tmpdir(), `waybill-${name}-`));
  const files = nodeFileSystem();
  const opened = await openFilesLog({
    files,
    directory: join(dir, 'log'),
    clock,
    diagnostics,
    ...limits.log,
    shard: 0,
  });
  if (opened.kind !== 'open') throw new Error(opened.detail);
  const made = await openBuffer({
    log: opened.log,
    files,
    directory: join(dir, 'buffer'),
    clock,
    random,
    diagnostics,
    ledger: { record: () => {}, sync: async () => {} },
    ...deps,
    limits: { log: limits.log, buffer: { ...limits.buffer, ...changed } },
  });
  if (made.kind !== 'open') throw new Error(JSON.stringify(made));
  const { buffer } = made;
  const end = async (): Promise<void> => {
    await buffer.close();
    rmSync(dir, { recursive: true });
  };
  return { buffer, end };
}
