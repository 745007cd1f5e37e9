/** What the offline checker found, as `waybill log check` shows it. */

export interface CheckReport {
  readonly directory: string;
  readonly segments: number;
  /** Blocks whose lines could be read back. */
  readonly blocks: number;
  /** Lines in them, each counted once however often its block stands in the log. */
  readonly lines: number;
  /** The newest version of the configuration in the data plane's copy of it; absent: there is no copy. */
  readonly configurationVersion?: number;
  /** Integrity errors in plain words; empty when all is well. */
  readonly problems: readonly string[];
  /** Empty unless the books were asked for. */
  readonly books: readonly BookLine[];
}

/** One job's recount. `balanced`: accepted = delivered + excluded + dropped + waiting, each counted by itself. */
export interface BookLine {
  readonly job: number;
  readonly stream: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly excluded: number;
  readonly dropped: number;
  readonly waiting: number;
  readonly balanced: boolean;
}

export type CheckDirectory = (
  directory: string,
  what: { readonly books: boolean },
) => Promise<CheckReport | { readonly misuse: string }>;
