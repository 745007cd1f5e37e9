/** Flips bytes of a shard's files one by one, opens each time what is left, and says what must not have happened (I10). */
import { join } from 'node:path';

import { linesOf, texts } from '../../src/buffer/testing.ts';
import { filesOf } from './folder.ts';
import { judgeDamage } from './judge.ts';
import { diskOf, openRooms } from './open-rooms.ts';
import { placesIn } from './segments.ts';

/** Names of files that hold nothing: locks are held by them and not written into them. */
export const EMPTY = /(^|\/)lock/;

export interface Sweep {
  readonly flips: number;
  /** What is wrong, with the byte that it takes. */
  readonly problems: readonly string[];
}

/** A stretch of all files' bytes, one file behind the other. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}
const WHOLE: Stretch = { from: 0, to: Infinity };

/** About so many bytes of the files, evenly spread, and each time from another place on; of a stretch each byte. */
export function* spread(
  files: ReadonlyMap<string, Buffer>,
  most: number,
  { from, to }: Stretch = WHOLE,
): Generator<{ readonly name: string; readonly at: number; readonly changed: Buffer }> {
  const all = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  const stride = Math.max(1, Math.floor(all / most));
  let at = from + Math.floor(Math.random() * stride);
  let before = 0;
  for (const [name, bytes] of files) {
    for (; at < bytes.length && before + at < to; at += stride) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      yield { name, at, changed };
    }
    at -= bytes.length;
    before += bytes.length;
  }
}

/**
 * @param directory a data folder; it is only read
 * @param most how many bytes are flipped
 */
export async function sweepShard(
  directory: string,
  most: number,
  stretch?: Stretch,
): Promise<Sweep> {
  const shard = join(directory, 'shards', '0');
  const files = new Map([...(await filesOf(shard))].filter(([name]) => !EMPTY.test(name)));
  const { blocks } = await placesIn(join(shard, 'log'));
  const before = await openRooms((await diskOf(files)).files());
  if (before.kind === 'refused') throw new Error(before.detail);
  const problems: string[] = [];
  let flips = 0;
  for (const { name, at, changed } of spread(files, most, stretch)) {
    flips++;
    const path = join(shard, name);
    const hit = blocks.find(
      ({ path: of, record }) => of === path && record.from <= at && at < record.to,
    );
    const found = await lives(new Map(files).set(name, changed), (seen) =>
      judgeDamage(before, seen, hit),
    );
    problems.push(...found.map((problem) => `${name} byte ${at}: ${problem}`));
  }
  return { flips, problems };
}

type Seen = Awaited<ReturnType<typeof openRooms>>;

/** Two lives on damaged files: lines are taken in the first, and both serve the same besides. */
export async function lives(
  files: ReadonlyMap<string, Buffer>,
  judge: (seen: Seen) => string[],
): Promise<string[]> {
  try {
    const disk = await diskOf(files);
    let stream = '';
    const first = await openRooms(disk.files(), {
      async use(buffer) {
        [stream] = [...buffer.streams()].map((each) => each.stream) as [string];
        const stored = await buffer.append({ stream, account: 'a1', lines: linesOf(texts(2)) });
        if (stored.kind !== 'stored') throw new Error(`a fresh write is ${stored.kind}`);
      },
    });
    const problems = judge(first);
    if (first.kind === 'refused') return problems;
    const second = await openRooms(disk.files(), { books: false });
    if (second.kind === 'refused') return [...problems, `then refuses to start: ${second.detail}`];
    for (const [key, was] of first.streams) {
      const is = second.streams.get(key);
      const expected = key === stream ? [...was.lines, ...texts(2)] : was.lines;
      if (JSON.stringify(is?.lines) !== JSON.stringify(expected))
        problems.push(`${key} holds something else in the next life`);
    }
    return problems;
  } catch (error) {
    return [`it fails: ${error instanceof Error ? error.stack : String(error)}`];
  }
}
