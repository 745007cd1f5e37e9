/** Lines of followed files go to the spool: sorted by stream, numbered by where they end in their file, each once. */
import { parseStreamKey } from '../../model/scope.ts';
import type { TailerDeps } from './contract.ts';
import type { CutLine } from './cut.ts';
import type { Followed } from './followed.ts';
import { sortLines } from './sort.ts';
import type { Destination } from './sort.ts';

/** After how long something is tried again that gives no time of its own. */
export const RETRY_MS = 1_000;

type StoreDeps = Pick<TailerDeps, 'append' | 'lastOf' | 'route' | 'diagnostics' | 'canSort'>;

export class StoredLines {
  readonly #deps: StoreDeps;
  acceptedLines = 0;
  unwantedLines = 0;

  constructor(deps: StoreDeps) {
    this.#deps = deps;
  }

  /** Whether it is known yet where lines to `to` belong. */
  isReady(to: Destination): boolean {
    return to.kind !== 'by' || this.#deps.canSort();
  }

  /** Stores what is wanted of the lines of a piece. The registry must have the file already. */
  async take(
    followed: Followed,
    piece: Buffer,
    lines: readonly CutLine[],
    to: Destination,
  ): Promise<'taken' | { readonly againAfterMs: number }> {
    const table = this.#deps.route();
    for (const [stream, own] of sortLines(piece, lines, to, table)) {
      const scope = stream === undefined ? undefined : parseStreamKey(stream)?.scope;
      const account = scope && table.accountOf(scope);
      if (stream === undefined || account === undefined || !table.wanted(stream as never)) {
        this.unwantedLines += own.length;
        continue;
      }
      const again = await this.#store(followed, piece, own, stream, account);
      if (again !== undefined) return { againAfterMs: again };
    }
    return 'taken';
  }

  /** @returns after how long to come again, or undefined when all of it is stored */
  async #store(
    followed: Followed,
    piece: Buffer,
    lines: readonly CutLine[],
    stream: string,
    account: string,
  ): Promise<number | undefined> {
    const { append, lastOf, diagnostics } = this.#deps;
    const producer = BigInt(`0x${followed.key}`);
    const stored = lastOf(stream, producer)?.sequence ?? 0;
    const fresh = lines.filter(({ endsAt }) => endsAt > stored);
    const last = fresh.at(-1);
    if (last === undefined) return undefined;
    const bytes = Buffer.concat(fresh.map(({ start, end }) => piece.subarray(start, end)));
    const ends = new Uint32Array(fresh.length);
    let end = 0;
    for (const [index, line] of fresh.entries()) ends[index] = end += line.end - line.start;
    const identity = { kind: 'producer', producer, epoch: 1, sequence: last.endsAt } as const;
    const result = await append({ stream, account, lines: { bytes, ends }, identity });
    switch (result.kind) {
      case 'stored':
        this.acceptedLines += fresh.length;
        return undefined;
      case 'refused':
        return result.retryAfterMs;
      case 'key_conflict':
        diagnostics.alarm('lines of a followed file are stored already with other bytes', {
          path: followed.path,
          at: last.endsAt,
        });
        return RETRY_MS;
    }
  }
}
