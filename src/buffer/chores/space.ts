/**
 * Whether lines may come in: by the disk's fill, by account, and by the number of streams. Above the low watermark the
 * accounts whose backlog is above their fair share are refused and the others go on; above the high one everybody is, and
 * what is left belongs to plans, waybills and checkpoints.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { FileSystem, Space } from '../../lib/fs/file-system.ts';
import type { AppendRefusal, AppendRequest } from '../contract.ts';
import type { DiskSharers } from '../deps.ts';
import type { ShardState } from '../state/state.ts';
import type { Admission } from '../write/intake.ts';
import { NewStreams } from './new-streams.ts';

export interface SpaceLimits {
  readonly streams: number;
  readonly newStreamsPerMinute: number;
  readonly newStreamsBurst: number;
  readonly lowWatermark: number;
  readonly highWatermark: number;
  readonly reserveBytes: number;
}

export interface SpaceDeps {
  readonly files: FileSystem;
  readonly directory: string;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly state: ShardState;
  readonly limits: SpaceLimits;
  /** An account's weight in the fair share; 1 when nothing is said. */
  readonly weightOf: (account: string) => number;
  /** Accounts that an operator bounded to a share of the disk. */
  readonly diskShares: () => ReadonlyMap<string, number>;
  /** Bytes of the log on disk. */
  readonly heldBytes: () => number;
  readonly diskSharers?: DiskSharers | undefined;
}

type Level = 'plenty' | 'low' | 'high';
type Refusal = { readonly reason: AppendRefusal; readonly retryAfterMs: number };

/** The disk is asked at most this often. */
const LOOK_MS = 1_000;
const RETRY_MS = 5_000;
/** What a request takes on disk beside its lines at most: headers, its identity, its place in an index. */
const REQUEST_BYTES = 256;

export class SpaceGuard implements Admission {
  readonly #deps: SpaceDeps;
  readonly #newStreams: NewStreams;
  #level: Level = 'plenty';
  #space: Space | undefined;
  #lookedMs = -Infinity;
  /** An append found no room: nobody is let in until the disk was looked at again. */
  #hitFull = false;
  #overShare: ReadonlySet<string> = new Set();
  #overDiskShare: ReadonlySet<string> = new Set();
  #draining = false;
  /** Bytes that may come before the disk is looked at again: what was free then, less the reserve. */
  #roomBytes = Infinity;
  /** Bytes let in since, however small they turn out to be on disk; and those of them that are still under way. */
  #letInBytes = 0;
  #underWayBytes = 0;

  constructor(deps: SpaceDeps) {
    this.#deps = deps;
    const { newStreamsPerMinute, newStreamsBurst } = deps.limits;
    this.#newStreams = new NewStreams(deps.clock, newStreamsPerMinute, newStreamsBurst);
  }

  get usedShare(): number {
    return this.#space === undefined ? 0 : usedShare(this.#space);
  }

  /** Size of the file system; undefined before it was asked. */
  get totalBytes(): number | undefined {
    return this.#space?.totalBytes;
  }

  get level(): Level {
    return this.#level;
  }

  drain(): void {
    this.#draining = true;
  }

  full(): void {
    this.#hitFull = true;
    this.#lookedMs = -Infinity;
  }

  admit(request: AppendRequest, isNew: boolean): Refusal | undefined {
    if (this.#draining) return { reason: 'draining', retryAfterMs: RETRY_MS };
    if (this.#hitFull || this.#level === 'high')
      return { reason: 'disk_full', retryAfterMs: RETRY_MS };
    if (this.#level === 'low' && this.#overShare.has(request.account)) {
      return { reason: 'over_fair_share', retryAfterMs: RETRY_MS };
    }
    if (this.#overDiskShare.has(request.account)) {
      return { reason: 'over_fair_share', retryAfterMs: RETRY_MS };
    }
    const bytes = bytesOf(request);
    // A fast producer must not get through to the reserve between two looks.
    if (this.#letInBytes + bytes > this.#roomBytes) {
      return { reason: 'disk_full', retryAfterMs: LOOK_MS };
    }
    const refusal = isNew ? this.#admitNew(request.account) : undefined;
    if (refusal !== undefined) return refusal;
    this.#letInBytes += bytes;
    this.#underWayBytes += bytes;
    return undefined;
  }

  finished(request: AppendRequest): void {
    this.#underWayBytes -= bytesOf(request);
  }

  /** Bytes that compaction may copy: it may use half of the reserve, because what it copies is soon given back. */
  get copyRoomBytes(): number {
    if (this.#space === undefined) return Infinity;
    return this.#space.freeBytes - this.#deps.limits.reserveBytes / 2;
  }

  #admitNew(account: string): Refusal | undefined {
    if (this.#deps.state.streams.size >= this.#deps.limits.streams) {
      return { reason: 'too_many_streams', retryAfterMs: 60_000 };
    }
    const waitMs = this.#newStreams.take(account);
    return waitMs === 0 ? undefined : { reason: 'too_many_streams', retryAfterMs: waitMs };
  }

  /** Looks at the disk, at most once a second. */
  async look(): Promise<void> {
    const { clock, diagnostics, directory, files } = this.#deps;
    const now = clock.monotonicMs();
    if (now - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = now;
    const settledBytes = this.#letInBytes - this.#underWayBytes;
    try {
      this.#space = await files.space(directory);
    } catch (error) {
      diagnostics.error('buffer.space_unknown', {
        detail: error instanceof Error ? error.message : '',
      });
      return;
    }
    // Tried again after each look: a failed append sets it anew, a freed disk lets intake go on without a restart.
    this.#hitFull = false;
    const roomBytes = this.#space.freeBytes - this.#deps.limits.reserveBytes;
    this.#roomBytes = roomBytes / (this.#deps.diskSharers?.shards ?? 1);
    // What was stored before the look is in its answer.
    this.#letInBytes -= settledBytes;
    const level = this.#judge(this.#space);
    if (level !== this.#level) {
      const details = {
        room: level,
        usedShare: usedShare(this.#space),
        freeBytes: this.#space.freeBytes,
      };
      if (level === 'high') diagnostics.alarm('buffer.disk', details);
      else diagnostics.warn('buffer.disk', details);
    }
    this.#level = level;
    if (level === 'low') this.#overShare = this.#accountsOverShare();
    this.#overDiskShare = this.#accountsOverDiskShare(this.#space);
  }

  #judge(space: Space): Level {
    const { highWatermark, lowWatermark, reserveBytes } = this.#deps.limits;
    const used = usedShare(space);
    if (used >= highWatermark || space.freeBytes < reserveBytes) return 'high';
    return used >= lowWatermark ? 'low' : 'plenty';
  }

  /** Accounts whose backlog takes more of the disk than an operator lets it. Walks the streams only when one is bounded. */
  #accountsOverDiskShare(space: Space): Set<string> {
    const { diskSharers, diskShares, heldBytes, state } = this.#deps;
    const shares = diskShares();
    const over = new Set<string>();
    if (shares.size === 0) return over;
    const waiting = new Map<string, number>();
    let plainBytes = 0;
    for (const stream of state.streams.values()) {
      plainBytes += stream.bytes - stream.bytesBefore(stream.oldest);
      if (!shares.has(stream.account)) continue;
      const bytes = stream.bytes - stream.bytesBefore(stream.floor());
      waiting.set(stream.account, (waiting.get(stream.account) ?? 0) + bytes);
    }
    // Streams know their plain bytes; on disk they take as much less as all of them together do.
    const packed = plainBytes === 0 ? 1 : Math.min(1, heldBytes() / plainBytes);
    for (const [account, bytes] of waiting) waiting.set(account, bytes * packed);
    diskSharers?.tell(waiting);
    for (const [account, share] of shares) {
      const bytes = (waiting.get(account) ?? 0) + (diskSharers?.backlogOf(account) ?? 0);
      if (bytes > share * space.totalBytes) over.add(account);
    }
    return over;
  }

  /** Accounts that hold more waiting bytes than their weight gives them, of all that wait. */
  #accountsOverShare(): Set<string> {
    const waiting = new Map<string, number>();
    let total = 0;
    for (const stream of this.#deps.state.streams.values()) {
      const bytes = stream.bytes - stream.bytesBefore(stream.floor());
      waiting.set(stream.account, (waiting.get(stream.account) ?? 0) + bytes);
      total += bytes;
    }
    let weights = 0;
    for (const account of waiting.keys()) weights += this.#deps.weightOf(account);
    const over = new Set<string>();
    for (const [account, bytes] of waiting) {
      if (bytes > (total * this.#deps.weightOf(account)) / weights) over.add(account);
    }
    return over;
  }
}

function bytesOf({ lines }: AppendRequest): number {
  return lines.bytes.length + REQUEST_BYTES;
}

function usedShare(space: Space): number {
  return space.totalBytes === 0 ? 0 : 1 - space.freeBytes / space.totalBytes;
}
