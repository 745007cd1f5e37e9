/**
 * Question: what does a commit cost, beside what it carries?
 *
 *     node bench/commits.ts [commits] [lines, lines, ...]
 *
 * Log and buffer alone, in the system's temporary folder: requests of one line in groups, the next group when the one before is
 * answered. CPU is compared, not time: it says the same on a busy machine.
 */
import { openBenchBuffer } from './lib/buffer.ts';
import { httpBlocks } from './lib/http-lines.ts';
import { quantile } from './lib/posts.ts';

const COMMITS = Number(process.argv[2] ?? 2_000);
const SIZES = (process.argv[3] ?? '1,4,16').split(',').map(Number);

const { buffer, end } = await openBenchBuffer('commits');
const text = Buffer.concat(httpBlocks(11, 2 ** 20).map(({ bytes }) => bytes)).toString();
const lines = text.match(/.*\n/g)!.map((line) => {
  const bytes = Buffer.from(line);
  return { bytes, ends: Uint32Array.of(bytes.length) };
});

let next = 0;
async function commit(requests: number): Promise<void> {
  const group = Array.from({ length: requests }, () =>
    buffer.append({
      stream: 'zones/z/http_requests',
      account: 'a',
      lines: lines[next++ % lines.length]!,
    }),
  );
  for (const answer of await Promise.all(group)) if (answer.kind !== 'stored') throw new Error();
}

for (let n = 0; n < COMMITS / 4; n++) await commit(4);
for (const requests of SIZES) {
  const before = { cpu: process.cpuUsage(), stats: buffer.stats() };
  const took = new Float64Array(COMMITS);
  for (let n = 0; n < COMMITS; n++) {
    const from = performance.now();
    await commit(requests);
    took[n] = performance.now() - from;
  }
  const { user, system } = process.cpuUsage(before.cpu);
  const after = buffer.stats();
  took.sort();
  console.log(`${requests} lines a commit`, {
    cpuUs: Math.round((user + system) / COMMITS),
    cpuUsALine: Math.round((user + system) / COMMITS / requests),
    syncs: after.syncs - before.stats.syncs,
    writtenBytesALine: Math.round(
      (after.writtenBytes - before.stats.writtenBytes) / COMMITS / requests,
    ),
    p50Ms: Number(quantile(took, 0.5).toFixed(2)),
    p99Ms: Number(quantile(took, 0.99).toFixed(2)),
  });
}
await end();
