/**
 * Question: what does it cost to read back a backlog that lies scattered over the log?
 *
 *     node bench/backlog-read.ts [streams] [MB] [bytes of a request]
 *
 * Log and buffer by themselves, on a folder in the system's temporary one: so many streams take requests in turn, then each is
 * read from its beginning by six readers at once, as delivery does. No rate counts here, only CPU and memory.
 */
import { inflateBlock } from '../src/buffer/index.ts';
import type { ReadBlocks } from '../src/buffer/index.ts';
import { openBenchBuffer } from './lib/buffer.ts';
import { cutBodies } from './lib/http-lines.ts';

const STREAMS = Number(process.argv[2] ?? 1_000);
const BYTES = Number(process.argv[3] ?? 200) * 1e6;
const REQUEST_BYTES = Number(process.argv[4] ?? 4_096);
const READERS = 6;
const WINDOW_BYTES = 2 ** 20;

const { buffer, end } = await openBenchBuffer('backlog', {
  newStreamsBurst: 1e9,
  tailCacheBytes: 0,
  lowWatermark: 0.99,
  highWatermark: 0.995,
});
const nameOf = (n: number): string => `zones/z${n}/http_requests`;
const bodies = cutBodies(8 * 2 ** 20, REQUEST_BYTES).map((bytes) => {
  const ends = [];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) ends.push(at + 1);
  return { bytes, ends: Uint32Array.from(ends) };
});
let written = 0;
for (let n = 0; written < BYTES;) {
  const group = Array.from({ length: 256 }, () => {
    const lines = bodies[n % bodies.length]!;
    written += lines.bytes.length;
    return buffer.append({ stream: nameOf(n++ % STREAMS), account: 'a', lines });
  });
  await Promise.all(group);
}
const stored = buffer.stats().writtenBytes;
const from = process.cpuUsage();
const began = performance.now();
let next = 0;
let read = 0;
let mostExternal = 0;
async function reader(): Promise<void> {
  while (next < STREAMS) {
    const stream = nameOf(next++);
    for (let offset = 0; ;) {
      const answer: ReadBlocks = await buffer.read(stream, offset, WINDOW_BYTES);
      if (answer.kind !== 'blocks') break;
      mostExternal = Math.max(mostExternal, process.memoryUsage().arrayBuffers);
      const plain = await Promise.all(answer.blocks.map(inflateBlock));
      for (const { length } of plain) read += length;
      offset = answer.blocks.at(-1)!.range.to;
    }
  }
}
await Promise.all(Array.from({ length: READERS }, reader));
const { user, system } = process.cpuUsage(from);
console.log({
  streams: STREAMS,
  GB: written / 1e9,
  storedMB: Math.round(stored / 1e6),
  missing: written - read,
  cpuSPerGB: Number(((user + system) / 1e6 / (read / 1e9)).toFixed(1)),
  MBs: Math.round(read / 1e6 / ((performance.now() - began) / 1_000)),
  buffersMiBAtMost: Math.round(mostExternal / 2 ** 20),
});
await end();
