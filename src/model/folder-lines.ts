/** What the offline tools say of the lines in a data folder: `waybill log list`, `export` and `salvage`. */

/** Offsets from `from` (included) to `to` (not). */
export interface OffsetRun {
  readonly from: number;
  readonly to: number;
}

export interface ListedStream {
  readonly stream: string;
  readonly epoch: string;
  /** Its next offset. */
  readonly head: number;
  /** Lines that can be read, and where they stand. */
  readonly lines: number;
  readonly runs: readonly OffsetRun[];
  readonly plainBytes: number;
  /** Reception of the first and the last of them, in milliseconds since 1970 UTC; null when there are none. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

export interface ListedJob {
  readonly job: number;
  readonly stream: string;
  /** Whether it has a cursor still. */
  readonly open: boolean;
  readonly waitingLines: number;
}

export interface FolderListing {
  readonly directory: string;
  readonly segments: number;
  readonly streams: readonly ListedStream[];
  readonly jobs: readonly ListedJob[];
  /** Integrity errors met on the way; empty when all that was read is whole. */
  readonly problems: readonly string[];
}

/** Which lines: of a stream, or of a job's stream; all, or what the job has not settled; between two offsets. */
export interface LinesWanted {
  readonly stream?: string;
  readonly job?: number;
  readonly waiting: boolean;
  readonly from?: number;
  readonly to?: number;
}

export interface ExportReport {
  readonly stream: string;
  readonly epoch: string;
  readonly lines: number;
  readonly bytes: number;
  /** Wanted, and not to be had. */
  readonly missing: readonly OffsetRun[];
  readonly problems: readonly string[];
}

/** What a salvage wrote, also kept beside the lines as `salvage.json`. */
export interface SalvageReport {
  readonly directory: string;
  readonly streams: readonly (ListedStream & {
    readonly file: string;
    readonly missing: readonly OffsetRun[];
  })[];
  readonly jobs: readonly ListedJob[];
  readonly problems: readonly string[];
}

export type Misuse = { readonly misuse: string };

/** The offline tools, as the command line is handed them. None of them changes the folder that it looks at. */
export interface FolderTools {
  list(directory: string): Promise<FolderListing | Misuse>;
  /** @param output a file that is not there yet; absent: standard output */
  export(directory: string, wanted: LinesWanted, output?: string): Promise<ExportReport | Misuse>;
  /** @param target a folder that is not there yet, or empty */
  salvage(directory: string, target: string): Promise<SalvageReport | Misuse>;
}
