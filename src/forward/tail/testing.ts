/** Files in memory that a test writes, rotates and truncates, and a store whose memory outlives crashes. */
import type { AppendRequest, AppendResult } from '../../buffer/index.ts';
import type { FollowedFile, FollowedFiles } from '../../lib/fs/followed.ts';

interface Inode {
  readonly id: string;
  bytes: Buffer;
  names: number;
}

/** One folder, `/logs`. Patterns are names with `*` at their end. */
export class SimFiles implements FollowedFiles {
  readonly #names = new Map<string, Inode>();
  readonly #removed: Inode[] = [];
  #lastInode = 0;

  /** Appends to a file, which is made when it is missing. */
  write(name: string, text: string): void {
    const inode = this.#names.get(name) ?? this.#make(name);
    inode.bytes = Buffer.concat([inode.bytes, Buffer.from(text)]);
  }

  #make(name: string): Inode {
    const inode = { id: `1:${++this.#lastInode}`, bytes: Buffer.alloc(0), names: 1 };
    this.#names.set(name, inode);
    return inode;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  rename(from: string, to: string): void {
    const inode = this.#names.get(from);
    if (inode === undefined) return;
    this.remove(to);
    this.#names.delete(from);
    this.#names.set(to, inode);
  }

  copy(from: string, to: string): void {
    const inode = this.#names.get(from);
    if (inode === undefined) return;
    this.remove(to);
    this.#make(to).bytes = Buffer.from(inode.bytes);
  }

  truncate(name: string): void {
    const inode = this.#names.get(name);
    if (inode !== undefined) inode.bytes = Buffer.alloc(0);
  }

  remove(name: string): void {
    const inode = this.#names.get(name);
    if (inode === undefined) return;
    inode.names -= 1;
    this.#names.delete(name);
    this.#removed.push(inode);
  }

  /** What files hold that have no name any more, for as long as somebody has them open. */
  removed(): string {
    return this.#removed.map(({ bytes }) => bytes.toString('utf8')).join('');
  }

  match(patterns: readonly string[]): Promise<string[]> {
    const found = [...this.#names.keys()].map((name) => `/logs/${name}`);
    const fits = (path: string) =>
      patterns.some((pattern) => path.startsWith(pattern.slice(0, -1)));
    return Promise.resolve(found.filter(fits).toSorted());
  }

  open(path: string): Promise<FollowedFile | undefined> {
    const inode = this.#names.get(path.slice('/logs/'.length));
    if (inode === undefined) return Promise.resolve(undefined);
    return Promise.resolve({
      id: inode.id,
      look: () => Promise.resolve({ bytes: inode.bytes.length, hasName: inode.names > 0 }),
      read: (target, at) =>
        Promise.resolve(at >= inode.bytes.length ? 0 : inode.bytes.copy(target, 0, at)),
      close: () => Promise.resolve(),
    });
  }
}

/** Stores lines with their numbers, as the spool does. */
export class SimStore {
  readonly lines: string[] = [];
  readonly #last = new Map<string, number>();
  /** What happens to the next appends: stored and answered, stored without an answer (a crash), or refused. */
  mood: 'answers' | 'dies' | 'refuses' = 'answers';

  readonly append = ({ stream, lines, identity }: AppendRequest): Promise<AppendResult> => {
    if (this.mood === 'refuses')
      return Promise.resolve({ kind: 'refused', reason: 'disk_full', retryAfterMs: 100 });
    if (identity?.kind !== 'producer') throw new Error('a line of a file has a number');
    this.#last.set(`${stream} ${identity.producer}`, identity.sequence);
    this.lines.push(...lines.bytes.toString('utf8').split('\n').slice(0, -1));
    if (this.mood === 'dies') return new Promise(() => {});
    const range = { from: 0, to: 0 };
    return Promise.resolve({ kind: 'stored', epoch: '0', range, repeat: false });
  };

  readonly lastOf = (
    stream: string,
    producer: bigint,
  ): { readonly sequence: number } | undefined => {
    const sequence = this.#last.get(`${stream} ${producer}`);
    return sequence === undefined ? undefined : { sequence };
  };
}
