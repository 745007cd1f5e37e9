/** The shard's side: windows and pages of the buffer. One reading at a time, so that delivery's own never stand behind many. */
import type { ReadBlocks, ShardBuffer, StoredBlock } from '../buffer/index.ts';
import type { PulledBlock, PulledPage, PullReader, WindowFound } from './contract.ts';

type Source = Pick<ShardBuffer, 'stream' | 'offsetAt' | 'read'>;

export function pullReader(buffer: Source): PullReader {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };
  return {
    window: (stream, startMs, endMs) => inTurn(() => findWindow(buffer, stream, startMs, endMs)),
    page: (stream, epoch, from, maxPlainBytes) =>
      inTurn(() => readPage(buffer, stream, epoch, from, maxPlainBytes)),
  };
}

async function findWindow(
  buffer: Source,
  stream: string,
  startMs: number | null,
  endMs: number | null,
): Promise<WindowFound> {
  const known = buffer.stream(stream);
  // The end first: what it says holds for all times before as well.
  const end =
    endMs === null
      ? { kind: 'offset' as const, offset: known?.head ?? 0 }
      : await buffer.offsetAt(stream, endMs);
  if (end.kind === 'early' || end.kind === 'failed') return end;
  if (known === undefined) return { kind: 'unknown' };
  if (startMs === null) {
    const from = known.oldest;
    const to = end.kind === 'offset' ? Math.max(end.offset, from) : from;
    return { kind: 'window', epoch: known.epoch, range: { from, to } };
  }
  if (end.kind === 'gone') return end;
  const start = await buffer.offsetAt(stream, startMs);
  if (start.kind !== 'offset') return start;
  return { kind: 'window', epoch: known.epoch, range: { from: start.offset, to: end.offset } };
}

async function readPage(
  buffer: Source,
  stream: string,
  epoch: string,
  from: number,
  maxPlainBytes: number,
): Promise<PulledPage> {
  if (buffer.stream(stream)?.epoch !== epoch) {
    return { kind: 'failed', detail: 'the stream is another one now' };
  }
  const read: ReadBlocks = await buffer.read(stream, from, maxPlainBytes);
  switch (read.kind) {
    case 'blocks':
      return { kind: 'blocks', blocks: read.blocks.map(pulled) };
    case 'gap':
      return { kind: 'gap', to: read.range.to, reason: read.reason };
    case 'end':
      return { kind: 'failed', detail: 'the stream ends before the window' };
    case 'failed':
      return read;
  }
}

/** With bytes of its own: what is stored may be a part of something larger, which would be copied whole to the other thread. */
function pulled({
  range,
  receivedMs,
  plainBytes,
  codec,
  stored,
  plainCrc,
}: StoredBlock): PulledBlock {
  return { range, receivedMs, plainBytes, codec, stored: new Uint8Array(stored), plainCrc };
}
