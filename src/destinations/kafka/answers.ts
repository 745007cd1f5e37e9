/**
 * What a broker's error code means for a batch, as data (https://kafka.apache.org/protocol#protocol_error_codes). The page
 * docs/destinations/kafka.md shows the same table.
 */
import type { SendOutcome } from '../destination.ts';

export interface CodeMeaning {
  readonly kind: 'accepted' | 'retry' | 'split' | 'reject';
  readonly words: string;
  /** What is known of the cluster or of the producer is out of date. */
  readonly renew?: 'metadata' | 'producer';
}

const retry = (words: string, renew?: CodeMeaning['renew']): CodeMeaning => ({
  kind: 'retry',
  words,
  ...(renew === undefined ? {} : { renew }),
});

export const CODES: Readonly<Record<number, CodeMeaning>> = {
  0: { kind: 'accepted', words: 'accepted' },
  2: retry('the records were damaged on their way'),
  3: retry('the topic does not exist, or the user may not see it', 'metadata'),
  5: retry('the partition has no leader just now', 'metadata'),
  6: retry('another broker leads the partition now', 'metadata'),
  7: retry('the replicas did not confirm in time'),
  8: retry('the broker is not available', 'metadata'),
  9: retry('a replica is not available', 'metadata'),
  10: { kind: 'split', words: 'a message is larger than the topic takes' },
  13: retry('the broker met a network error', 'metadata'),
  14: retry('the cluster is still starting'),
  15: retry('the cluster is still starting'),
  16: retry('the cluster is still starting', 'metadata'),
  17: retry('the name of the topic is not valid, or it is an inner topic of the cluster'),
  18: { kind: 'split', words: 'the batch is larger than a segment of the topic' },
  19: retry('too few replicas of the partition are in sync'),
  20: retry('too few replicas of the partition are in sync'),
  29: retry('the user may not write to this topic'),
  31: retry('the user may not do this in this cluster'),
  32: { kind: 'reject', words: 'the topic does not take the lines’ times' },
  33: retry('the cluster does not offer this SASL mechanism'),
  34: retry('the broker expects another order of log-in'),
  35: retry('the broker does not know this version of the protocol'),
  43: retry('the topic’s message format is older than 0.11'),
  44: retry('a policy of the cluster refuses this'),
  45: retry('the broker has lost the order of this producer’s batches', 'producer'),
  46: { kind: 'accepted', words: 'taken before' },
  47: retry('the broker knows a newer producer of this name', 'producer'),
  53: retry('the user may not use this producer id', 'producer'),
  56: retry('the broker’s disk is in trouble', 'metadata'),
  58: retry('the credentials were not accepted'),
  59: retry('the broker has forgotten this producer', 'producer'),
  72: retry('another listener must be used', 'metadata'),
  74: retry('the partition’s leader has just changed', 'metadata'),
  76: retry('the cluster is too old for this compression: choose compression=gzip'),
  87: { kind: 'reject', words: 'the topic calls a message invalid: a compacted topic needs a key' },
  89: retry('the cluster’s quota is used up'),
  90: retry('the broker knows a newer producer of this name', 'producer'),
};

/** What a code means; codes of newer brokers wait for better times. */
export function meaningOf(code: number): CodeMeaning {
  return CODES[code] ?? retry('the broker refused this', 'metadata');
}

/** The outcome of a code that is no success. */
export function refusalOf(code: number): Exclude<SendOutcome, { kind: 'accepted' | 'partial' }> {
  const { kind, words } = meaningOf(code);
  return { kind: kind === 'accepted' ? 'retry' : kind, reason: `code ${code}: ${words}` };
}
