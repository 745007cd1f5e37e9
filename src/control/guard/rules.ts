/**
 * The guard's rules: whether a change of configuration may take effect. Pure; the table in `docs/guard.md` is its test.
 *
 * It compares sets, not totals: a document that ends ten streams and starts ten others ends ten.
 */
import type { VoiceKind } from '../store/store.ts';

/** What a change would do, in numbers: what a refusal states. */
export interface BlastRadius {
  /** Streams with an enabled job before the change. */
  readonly streams: number;
  /** Streams that would lose their last enabled job. */
  readonly streamsEnded: number;
  /** Some of them, by name. */
  readonly examples: readonly string[];
  readonly streamsStarted: number;
  /** Jobs that would go on with other content, or to another place. */
  readonly jobsChanged: number;
  readonly accounts: number;
  /** Lines an hour of the streams that would end, each in its busiest hour of the last days, as far as known. */
  readonly linesPerHour: number;
  /** Streams among them of which it is not known: that is not zero. */
  readonly streamsUnknown: number;
  /** With what operators have ended within the last hour already. */
  readonly hour: { readonly streams: number; readonly accounts: number };
}

/** What streams carry in their busiest hours. */
export interface Load {
  readonly lines: number;
  readonly bytes: number;
}

/** The rest of what is judged. */
export interface Circumstances {
  readonly voice: VoiceKind;
  /** Accounts that are delivered to, or were when the hour began. Asked for only where it matters. */
  readonly accounts: () => number;
  /** Streams that operators have ended within the last hour, before the change. */
  readonly hourStreams: number;
  /** Streams wanted after the change, by a job or by Logpull's flag. */
  readonly wanted: number;
  /**
   * What all delivered streams carry, with how many of them it is known of. Asked for only where it matters: it costs a walk
   * over all of them.
   */
  readonly traffic: () => { readonly load: Load; readonly known: number };
}

export interface GuardBounds {
  /** Up to so many accounts an operator's single changes may concern within an hour, whatever the number of streams. */
  readonly accounts: number;
  /** Up to so many streams, whatever share of all that is. */
  readonly streams: number;
  readonly share: number;
  /** Streams that this server can hold. */
  readonly capacityStreams: number;
  /** Bytes an hour that it can take. */
  readonly capacityBytesPerHour: number;
}

/** Why the guard says no. */
export type GuardReason =
  /** A document would leave no stream of those that are delivered. */
  | 'ends_everything'
  /** A document would end two or more, over a tenth of the streams or of their lines. */
  | 'ends_many'
  /** With what operators have changed within the hour it is too much. */
  | 'hour_full'
  | 'over_capacity';

export type Verdict =
  | { readonly kind: 'passes' }
  | { readonly kind: 'refused'; readonly reason: GuardReason };

const PASSES: Verdict = { kind: 'passes' };

export function judge(radius: BlastRadius, around: Circumstances, bounds: GuardBounds): Verdict {
  const reason =
    growth(radius, around, bounds) ??
    (around.voice === 'document' ? document(radius, around, bounds) : undefined) ??
    (around.voice === 'customer' ? undefined : hour(radius, around, bounds));
  return reason === undefined ? PASSES : { kind: 'refused', reason };
}

function growth(
  { streamsStarted, streamsEnded, streams }: BlastRadius,
  { wanted, voice, traffic }: Circumstances,
  { capacityStreams, capacityBytesPerHour }: GuardBounds,
): GuardReason | undefined {
  if (streamsStarted === 0) return undefined;
  if (wanted > capacityStreams) return 'over_capacity';
  // One more stream is the business of the limits on lines; a document may bring as many as the machine cannot take.
  if (voice !== 'document' || streamsStarted <= streamsEnded || streams === 0) return undefined;
  const { load, known } = traffic();
  if (known === 0) return undefined;
  const after = streams - streamsEnded + streamsStarted;
  return (load.bytes / known) * after > capacityBytesPerHour ? 'over_capacity' : undefined;
}

function document(
  { streams, streamsEnded, linesPerHour, streamsUnknown }: BlastRadius,
  { traffic }: Circumstances,
  { share }: GuardBounds,
): GuardReason | undefined {
  if (streamsEnded === 0) return undefined;
  if (streamsEnded === streams) return 'ends_everything';
  if (streamsEnded < 2) return undefined;
  if (streamsEnded > streams * share) return 'ends_many';
  const { load, known } = traffic();
  if (known === 0) return undefined;
  // A stream of which nothing is known counts as the mean of the others.
  const mean = load.lines / known;
  const ended = linesPerHour + streamsUnknown * mean;
  return ended > (load.lines + (streams - known) * mean) * share ? 'ends_many' : undefined;
}

function hour(
  { streams, streamsEnded, hour: ended }: BlastRadius,
  { accounts, hourStreams }: Circumstances,
  bounds: GuardBounds,
): GuardReason | undefined {
  if (streamsEnded === 0) return undefined;
  const allowed = Math.max(bounds.streams, Math.floor((streams + hourStreams) * bounds.share));
  if (ended.streams <= allowed) return undefined;
  // Where hardly anybody is delivered to, a bound on accounts would bound nothing.
  const isBounded = ended.accounts > bounds.accounts || accounts() <= bounds.accounts;
  return isBounded ? 'hour_full' : undefined;
}
