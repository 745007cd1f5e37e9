/** What is asked of a `destination_conf` before a job may have it: its form, what the account is allowed, who owns the place. */
import { describeDestinations, hasProblems, parseDestination } from '../../destinations/index.ts';
import type { DestinationPolicy } from '../../destinations/index.ts';
import type { Scope } from '../../model/scope.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { Sealer } from '../secrets/sealing.ts';
import type { StateView } from '../store/state.ts';
import { provesOwnership } from './ownership.ts';

/** For which destinations a job needs an ownership challenge; the setting `destinations.ownershipChallenge`. */
export type OwnershipChallenge =
  | 'never'
  /** Where the server's own cloud credentials are used, as at Logpush: they reach more than the customer may. */
  | 'ambient'
  /** All that keep objects or files. */
  | 'objects'
  /** Also receivers of requests. */
  | 'all';

export interface DestinationRules {
  readonly sealer: Sealer;
  readonly policy: DestinationPolicy;
  readonly challenge: OwnershipChallenge;
}

export interface JudgedDestination {
  readonly kind: 'destination';
  readonly redacted: string;
  readonly fingerprint: string;
  /** Whether it keeps each batch under its name: an object store or a folder. */
  readonly keepsObjects: boolean;
  /** Whether a job needs a proof of ownership to deliver there. */
  readonly needsProof: boolean;
}

const KEEPS_OBJECTS = new Set(
  describeDestinations()
    .filter(({ repeats }) => repeats === 'replaces')
    .flatMap(({ schemes }) => schemes),
);

/** Judges a conf without touching the network. The refusal names what is wrong and never quotes a secret. */
export function judgeDestination(
  conf: string,
  state: StateView,
  scope: Scope,
  { policy, challenge }: DestinationRules,
): JudgedDestination | Refusal {
  const account = state.accounts.get(state.accountOf(scope) ?? '');
  const parsed = parseDestination(conf, {
    ...policy,
    ambientCredentials: account?.ambientCredentials ?? false,
  });
  if (hasProblems(parsed)) {
    const text = parsed.map(({ setting, message }) => `${setting} ${message}`).join('; ');
    return refuse('body_invalid', `error validating destination: ${text}`, 'destination_conf');
  }
  const allowed = account?.limits.destinations;
  if (allowed && !allowed.includes(parsed.scheme)) {
    return refuse(
      'body_invalid',
      `error validating destination: this account may not deliver to ${parsed.scheme}://; it may to ${allowed.join(', ') || 'none'}`,
      'destination_conf',
    );
  }
  const keepsObjects = KEEPS_OBJECTS.has(parsed.scheme);
  const ownCredentials = !hasProblems(
    parseDestination(conf, { ...policy, ambientCredentials: false }),
  );
  return {
    kind: 'destination',
    redacted: parsed.redacted,
    fingerprint: parsed.fingerprint,
    keepsObjects,
    needsProof: isNeeded(challenge, keepsObjects, ownCredentials),
  };
}

function isNeeded(
  challenge: OwnershipChallenge,
  keepsObjects: boolean,
  ownCredentials: boolean,
): boolean {
  switch (challenge) {
    case 'never':
      return false;
    case 'ambient':
      return !ownCredentials;
    case 'objects':
      return keepsObjects;
    case 'all':
      return true;
  }
}

/** Whether the challenge that came with a job proves that the place may be delivered to; undefined: it does. */
export function ownershipRefusal(
  rules: DestinationRules,
  scope: Scope,
  { fingerprint, needsProof }: JudgedDestination,
  challenge: string | null | undefined,
  nowMs: number,
): Refusal | undefined {
  if (!needsProof) return undefined;
  const claim = { scope, fingerprint };
  if (challenge && provesOwnership(rules.sealer, challenge, claim, nowMs)) return undefined;
  const message = challenge
    ? 'incorrect ownership challenge'
    : 'incorrect ownership challenge: this destination needs one; ask for it at logpush/ownership';
  return refuse('body_invalid', message, 'ownership_challenge');
}
