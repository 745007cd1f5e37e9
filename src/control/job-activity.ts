/** What a job is doing, in the words that its owner sees. */
export type JobActivity =
  /** Nothing is waiting. */
  | 'idle'
  | 'delivering'
  /** The last attempt failed; another follows by itself. */
  | 'retrying'
  /** The receiver refuses everything; probed until it takes something again. */
  | 'blocked'
  /** Not enabled: cursor and lines are held back. */
  | 'off';
