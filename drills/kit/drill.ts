/** What a drill is. */
import type { Stage } from './stage.ts';

export interface Drill {
  readonly name: string;
  /** In some words, for the list. */
  readonly title: string;
  /** What must hold, in a sentence: the verdict says whether it did. */
  readonly claim: string;
  /** What is done, in order. */
  readonly steps: readonly string[];
  /** Parts that can be run alone, beside what every run begins and ends with. */
  readonly parts?: readonly string[];
  /** How long it takes at most, in seconds; what takes longer has failed. */
  readonly atMostS: { readonly full: number; readonly short: number };
  /** Why it cannot be run on this machine; undefined when it can. */
  readonly obstacle?: () => Promise<string | undefined>;
  run(stage: Stage): Promise<void>;
}
