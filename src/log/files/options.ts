/** What the log over files is handed. */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import type { Position } from '../contract.ts';

/** Where in a commit, a roll, a trim or an opening the log stands; tests kill the process there. */
export const STEPS = [
  'locked',
  'scanned',
  'segment-created',
  'header-synced',
  'segment-named',
  'directory-synced',
  'tail-cut',
  'opened',
  'group-synced',
  'sealed',
  'trimmed-unlink',
  'trimmed-synced',
  'closing',
] as const;
export type Step = (typeof STEPS)[number];

export interface FilesLogOptions {
  readonly files: FileSystem;
  /** A folder of the log's own, made when it is missing. */
  readonly directory: string;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Written into every segment; a folder of another shard is refused. */
  readonly shard?: number;
  /** A segment's size, about: a commit that would go past it begins a new one. */
  readonly segmentBytes: number;
  /** The largest record. */
  readonly recordBytes: number;
  /** Bytes that one commit takes at most, unless a single group is larger. */
  readonly commitBytes: number;
  /** Segments held open for reading: bounds file handles. */
  readonly openSegments: number;
  /**
   * What the caller knows to be durable from elsewhere (a checkpoint): the log never ends before it. What is missing up to
   * it is damage and not a torn tail, and positions behind it are not given out again.
   */
  readonly knownEnd?: Position;
  /** Called as each durability step is done. For tests that end the process there. */
  readonly onStep?: (step: Step) => void;
}
