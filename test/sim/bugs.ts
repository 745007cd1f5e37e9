/**
 * Bugs that a suite worth its name must find, each planted in a seam of the shard: a file system that lies, a log that
 * writes something else, a buffer that answers too early. Made anew for each shard, so that they keep no state over starts.
 */
import type { JobState, ShardBuffer } from '../../src/buffer/index.ts';
import { decodeBlock, encodeBlock } from '../../src/buffer/format/block.codec.ts';
import { decodeRecord, encodeRefusals } from '../../src/buffer/format/records.codec.ts';
import { FsError } from '../../src/lib/fs/file-system.ts';
import type { FileHandle, FileSystem } from '../../src/lib/fs/file-system.ts';
import { crc32 } from 'node:zlib';
import type { ShardLog } from '../../src/log/index.ts';
import type { Plan } from '../../src/model/delivery.ts';
import { SHARD } from './shard.ts';
import type { Seams } from './shard.ts';

const inLog = (path: string): boolean => path.startsWith(`${SHARD}/log`);
const inBuffer = (path: string): boolean => path.startsWith(`${SHARD}/buffer`);

export const BUGS: Readonly<Record<string, Seams>> = {
  'answer before sync': {
    files: (files) =>
      lie(files, {
        open: (path, mode) =>
          files.open(path, mode === 'create-synced' && inLog(path) ? 'create' : mode),
      }),
  },
  'no directory sync': {
    files: (files) =>
      lie(files, {
        syncDirectory: async (path) => (inLog(path) ? undefined : files.syncDirectory(path)),
      }),
  },
  'plan written after the first attempt': { buffer: planAtSettling },
  'cursor moved without waybill': {
    log: (log) =>
      rewrite(log, (record) => {
        const read = decodeRecord(record, 'skip');
        if (read.kind !== 'waybill') return record;
        return encodeRefusals(read.serviceMs, { sequence: 0, entries: [] });
      }),
  },
  'read past the frontier': { buffer: showPending },
  'trim before checkpoint': {
    files: (files) =>
      lie(files, {
        handle: (path) => (inBuffer(path) ? { sync: async () => {} } : {}),
        syncDirectory: async (path) => (inBuffer(path) ? undefined : files.syncDirectory(path)),
      }),
  },
  'tail cut behind the frontier': {
    files: (files) =>
      lie(files, {
        handle: (path, file) =>
          inLog(path) ? { truncate: (bytes) => file.truncate(Math.max(64, bytes - 120)) } : {},
      }),
  },
  'key kept outside the block': {
    log: (log) =>
      rewrite(log, (record) => {
        const block = decodeBlock(record, 'skip');
        if (block.kind !== 'block') return record;
        return Buffer.concat(encodeBlock({ ...block, identities: [] }, block.stored));
      }),
  },
  'unlink before intent': {
    files: (files) =>
      lie(files, {
        async rename(from, to) {
          if (inBuffer(to)) {
            for (const name of await files.list(`${SHARD}/buffer`)) {
              if (name.endsWith('.wbc')) await files.unlink(`${SHARD}/buffer/${name}`);
            }
            await files.syncDirectory(`${SHARD}/buffer`);
          }
          await files.rename(from, to);
        },
      }),
  },
  'short write swallowed': {
    files: (files) =>
      lie(files, {
        handle: (_path, file) => ({
          async write(buffers, at) {
            await file.write(buffers, at);
            return buffers.reduce((sum, part) => sum + part.length, 0);
          },
        }),
      }),
  },
  'failed sync tried again and believed': {
    files: (files) =>
      lie(files, {
        handle: (_path, file) => ({
          async write(buffers, at) {
            try {
              return await file.write(buffers, at);
            } catch (error) {
              if (!(error instanceof FsError) || error.operation !== 'sync') throw error;
              await file.sync();
              return buffers.reduce((sum, part) => sum + part.length, 0);
            }
          },
        }),
      }),
  },
  'archive left out of the checkpoint': {
    ledger: (sink) => ({ record: (event) => sink.record(event), sync: async () => {} }),
  },
  'stored bytes changed on their way': {
    log: (log) =>
      rewrite(log, (record) => {
        const block = decodeBlock(record, 'skip');
        if (block.kind !== 'block' || block.lines !== 7) return record;
        const stored = Buffer.from(block.stored);
        stored[0]! ^= 1;
        // With a checksum of its own: only the line itself gives it away.
        const sum = { storedCrc: crc32(stored), plainCrc: crc32(stored) };
        const crcs = block.codec === 'raw' ? sum : { storedCrc: crc32(stored) };
        return Buffer.concat(encodeBlock({ ...block, ...crcs }, stored));
      }),
  },
};

type Lies = Partial<FileSystem> & {
  readonly handle?: (path: string, file: FileHandle) => Partial<FileHandle>;
};

/** A file system that does some things otherwise. */
function lie(files: FileSystem, { handle, open, ...lies }: Lies): FileSystem {
  return instead(files, {
    async open(path, mode) {
      const file = await (open?.(path, mode) ?? files.open(path, mode));
      return instead(file, handle?.(path, file) ?? {});
    },
    ...lies,
  });
}

/** A log that stores other records than it was given. */
function rewrite(log: ShardLog, change: (record: Buffer) => Buffer): ShardLog {
  return instead(log, {
    append: (group, options) =>
      log.append(
        group.map((parts) => [change(Buffer.concat(parts))]),
        options,
      ),
  });
}

/** A part with some of its methods replaced. */
export function instead<Part extends object>(part: Part, methods: Partial<Part>): Part {
  return new Proxy(part, {
    get(target, name) {
      const replaced: unknown = Reflect.get(methods, name);
      if (replaced !== undefined) return replaced;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Plans live in memory until they are settled. */
function planAtSettling(buffer: ShardBuffer): ShardBuffer {
  const held = new Map<string, Plan>();
  const withHeld = (state: JobState): JobState => {
    const mine = [...held.values()].filter((plan) => plan.job === state.job);
    const open = [...state.open, ...mine].toSorted((a, b) => a.range.from - b.range.from);
    return { ...state, open };
  };
  return instead(buffer, {
    job(id) {
      const state = buffer.job(id);
      return state && withHeld(state);
    },
    async plan(_job, plans) {
      for (const plan of plans) held.set(plan.id, plan);
      return { kind: 'durable' };
    },
    async settle(waybill) {
      const plan = held.get(waybill.plan ?? '');
      if (plan !== undefined) {
        const recorded = await buffer.plan(plan.job, [plan]);
        if (recorded.kind === 'failed') return recorded;
        held.delete(plan.id);
      }
      return buffer.settle(waybill);
    },
  });
}

/** Readers see lines as soon as they have come, durable or not. */
function showPending(buffer: ShardBuffer): ShardBuffer {
  const pending = new Map<string, Buffer[]>();
  return instead(buffer, {
    async append(request) {
      const mine = pending.get(request.stream) ?? [];
      pending.set(request.stream, [...mine, request.lines.bytes]);
      try {
        return await buffer.append(request);
      } finally {
        pending.delete(request.stream);
      }
    },
    stream(key) {
      const state = buffer.stream(key);
      const lines = countLines(pending.get(key));
      return state && { ...state, head: state.head + lines };
    },
    async read(key, from, bytes) {
      const head = buffer.stream(key)?.head ?? 0;
      const stored = Buffer.concat(pending.get(key) ?? []);
      if (from < head || stored.length === 0) return buffer.read(key, Math.min(from, head), bytes);
      const range = { from: head, to: head + countLines([stored]) };
      const info = { range, receivedMs: 0, plainBytes: stored.length, storedBytes: stored.length };
      return {
        kind: 'blocks',
        blocks: [{ ...info, codec: 'raw', stored, plainCrc: crc32(stored) }],
      };
    },
  });
}

function countLines(bodies: readonly Buffer[] = []): number {
  let lines = 0;
  for (const body of bodies) for (const byte of body) if (byte === 10) lines += 1;
  return lines;
}
