/**
 * Decides whether a change may take effect, with all that has to be remembered for it: what is delivered, what operators have
 * ended within the hour, what streams carry, which refusals can be insisted on. Nothing switches it off.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Random } from '../../lib/random.ts';
import { limits } from '../../model/limits.ts';
import { scopePath } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
import type { StateView } from '../store/state.ts';
import type { ChangeEntry, Edit, Store } from '../store/store.ts';
import { Hour } from './hour.ts';
import { candidateOf, Insistence } from './insist.ts';
import type { InsistBounds, Redeemed } from './insist.ts';
import { Rate } from './rate.ts';
import { judge } from './rules.ts';
import type { BlastRadius, GuardBounds, GuardReason } from './rules.ts';
import { Tally } from './tally.ts';
import type { Effect, StreamOf } from './tally.ts';
import { Traffic } from './traffic.ts';
import type { BusyHours, TrafficOptions } from './traffic.ts';
import type { Voice } from './voice.ts';

export interface GuardOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  /** From the ledger; absent: nothing is known of any stream. */
  readonly busyHours?: BusyHours;
  /** Absent: those of every server. For tests that want their edges early. */
  readonly bounds?: Bounds;
}

type Bounds = GuardBounds &
  InsistBounds &
  TrafficOptions['bounds'] & {
    readonly hourMs: number;
    readonly customerChangesPerMinute: number;
    readonly examples: number;
    readonly askedStreams: number;
  };

/** A change that wants to take effect. */
export interface Candidate {
  readonly voice: Voice;
  readonly base: number;
  readonly edits: readonly Edit[];
  /** The token of an earlier refusal, from somebody who insists. */
  readonly insist?: string | undefined;
}

/** What the guard says of a change. */
export type Judgement =
  | { readonly kind: 'passes' }
  /** It would be refused; an operator insists. */
  | { readonly kind: 'insisted'; readonly radius: BlastRadius; readonly reason: GuardReason }
  | {
      readonly kind: 'refused';
      readonly reason: GuardReason;
      readonly radius: BlastRadius;
      /** With it an operator can insist, once; null for a customer. */
      readonly token: string | null;
      readonly candidate: string;
      /** Why the token that was given does not hold. */
      readonly given: Exclude<Redeemed['kind'], 'redeemed'> | null;
    }
  /** One account changes faster than allowed. */
  | { readonly kind: 'too_fast' };

const PAGE = 500;

export class Guard {
  readonly #options: GuardOptions;
  readonly #bounds: Bounds;
  readonly #hour: Hour;
  readonly #insistence: Insistence;
  readonly #rate: Rate;
  readonly #traffic: Traffic;
  #tally: Tally;
  #accountOf: (scope: Scope) => string | undefined;
  #isRestored = false;

  constructor(state: StateView, options: GuardOptions) {
    const { clock, random, diagnostics } = options;
    this.#options = options;
    const bounds = options.bounds ?? limits.guard;
    this.#bounds = bounds;
    this.#tally = new Tally(state);
    this.#accountOf = (scope) => state.accountOf(scope);
    this.#hour = new Hour(clock, bounds.hourMs);
    this.#insistence = new Insistence(clock, random, bounds);
    this.#rate = new Rate(clock, bounds.customerChangesPerMinute);
    this.#traffic = new Traffic({
      clock,
      diagnostics,
      busyHours: options.busyHours ?? (() => Promise.resolve(new Map())),
      streams: () => this.#tally.streams(),
      bounds,
    });
  }

  /** What streams carry, for those who choose among them. */
  get traffic(): Pick<Traffic, 'of' | 'refresh'> {
    return this.#traffic;
  }

  /**
   * Fills the hour's window from the change log, once. Nothing is judged before: a restart forgets nothing.
   *
   * @throws when the change log cannot be read
   */
  async restore(store: Pick<Store, 'changes'>): Promise<void> {
    if (this.#isRestored) return;
    const nowMs = this.#options.clock.wallMs();
    const since: ChangeEntry[] = [];
    for (let before: number | undefined; ; before = since.at(-1)?.version) {
      const page = await store.changes({
        limit: PAGE,
        ...(before === undefined ? {} : { before }),
      });
      const young = page.filter(({ atMs }) => atMs > nowMs - this.#bounds.hourMs);
      since.push(...young);
      if (young.length < PAGE) break;
    }
    for (const entry of since.toReversed()) {
      if (entry.voice === 'customer') continue;
      this.#hour.end(this.#endedBy(entry), Math.max(0, nowMs - entry.atMs));
    }
    this.#isRestored = true;
  }

  /** Judges a change; counts it against its account's rate when a customer makes it. */
  async judge(candidate: Candidate): Promise<Judgement> {
    const { voice, edits, base } = candidate;
    if (voice.kind === 'customer' && !this.#rate.take(voice.account)) return { kind: 'too_fast' };
    const effect = this.#tally.effectOf(edits, this.#accountOf);
    if (voice.kind === 'document') await this.#ask(effect);
    const radius = this.#radiusOf(effect);
    const verdict = judge(
      radius,
      {
        voice: voice.kind,
        accounts: () => this.#tally.accountsWith(this.#hour.accounts()),
        hourStreams: this.#hour.streams,
        wanted: effect.wanted,
        traffic: () => this.#traffic.sum(this.#tally.streams()),
      },
      this.#bounds,
    );
    if (verdict.kind === 'passes') return verdict;
    const { reason } = verdict;
    const digest = await candidateOf(edits, this.#options.clock);
    if (voice.kind === 'customer')
      return { kind: 'refused', reason, radius, token: null, candidate: digest, given: null };
    const given =
      candidate.insist === undefined
        ? undefined
        : this.#insistence.redeem(candidate.insist, base, digest);
    if (given?.kind === 'redeemed') return { kind: 'insisted', radius, reason };
    const token = this.#insistence.issue(base, digest);
    return {
      kind: 'refused',
      reason,
      radius,
      token,
      candidate: digest,
      given: given?.kind ?? null,
    };
  }

  /** What a change would do, without a verdict: for a plan. */
  async foresee(edits: readonly Edit[]): Promise<BlastRadius> {
    const effect = this.#tally.effectOf(edits, this.#accountOf);
    await this.#ask(effect);
    return this.#radiusOf(effect);
  }

  /** A change has been committed, and the state has taken it over. */
  committed(voice: Voice, edits: readonly Edit[]): void {
    const effect = this.#tally.effectOf(edits, this.#accountOf);
    this.#tally.apply(edits, this.#accountOf);
    this.#hour.start(effect.started);
    if (voice.kind !== 'customer') this.#hour.end(effect.ended);
  }

  /** The state is another one: the store was read again. */
  reset(state: StateView): void {
    this.#tally = new Tally(state);
    this.#accountOf = (scope) => state.accountOf(scope);
  }

  close(): void {
    this.#traffic.close();
  }

  /** Learns what the streams that would end carry, so that it can be said. */
  async #ask({ ended }: Effect): Promise<void> {
    if (ended.length === 0 || ended.length > this.#bounds.askedStreams) return;
    await this.#traffic.refresh(ended.map(({ stream }) => stream));
  }

  #radiusOf({ ended, started, jobsChanged, accounts }: Effect): BlastRadius {
    const { load, known } = this.#traffic.sum(ended.map(({ stream }) => stream));
    return {
      streams: this.#tally.delivered,
      streamsEnded: ended.length,
      examples: ended.slice(0, this.#bounds.examples).map(({ stream }) => stream),
      streamsStarted: started.length,
      jobsChanged,
      accounts: accounts.size,
      linesPerHour: load.lines,
      streamsUnknown: ended.length - known,
      hour: {
        streams: this.#hour.streams + ended.length,
        accounts: this.#hour.accountsWith(ended),
      },
    };
  }

  /** Streams that an entry of the change log has switched the last job off of, and that nothing delivers now. */
  #endedBy(entry: ChangeEntry): readonly StreamOf[] {
    const concerned = entry.edits.filter(({ kind }) => kind === 'job');
    // Read backwards on an empty configuration: what it ended is what it would start.
    const backwards = concerned.map(
      ({ kind, id, before, after }) => ({ kind, id, before: after, after: before }) as Edit,
    );
    const accounts = new Map(concerned.flatMap(({ concerns }) => ownersOf(concerns)));
    return new Tally()
      .effectOf(backwards, (scope) => accounts.get(scopePath(scope)))
      .started.filter(({ stream }) => !this.#tally.isDelivered(stream));
  }
}

/** A zone's account, from the scopes that an entry concerns: the zone itself may be gone. */
function ownersOf(concerns: readonly string[]): [zone: string, account: string][] {
  const [own = '', account] = concerns;
  return account === undefined ? [] : [[own, account.slice(account.indexOf('/') + 1)]];
}
