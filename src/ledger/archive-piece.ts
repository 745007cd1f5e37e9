import type { LedgerEvent } from '../buffer/index.ts';
import type { ArchiveMark } from './contract.ts';

/** Some of the archive's events in order. */
export interface ArchivePiece {
  readonly events: readonly LedgerEvent[];
  /** Just behind the last of them, or behind what cannot be read: where to read on. */
  readonly mark: ArchiveMark;
  /** What cannot be read before the mark, if anything. The end of a file after a crash is no damage: it comes again. */
  readonly damaged?: string;
}
