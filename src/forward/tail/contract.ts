/** What the tailer says of itself. */
export interface TailStats {
  readonly files: number;
  /** Bytes in them that have not been accepted yet. */
  readonly behindBytes: number;
  readonly acceptedLines: number;
  readonly unwantedLines: number;
  /** Bytes that were gone (truncated, deleted) before they could be read, as far as that can be told. */
  readonly lostBytes: number;
  readonly problems: readonly string[];
}
