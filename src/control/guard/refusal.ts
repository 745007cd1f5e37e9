/** A refusal of the guard in words and numbers: what the change would do, why that is too much, how to insist. */
import type { Refusal } from '../refusal.ts';
import { refuse } from '../refusal.ts';
import type { Judgement } from './guard.ts';
import type { BlastRadius, GuardReason } from './rules.ts';

type Refused = Extract<Judgement, { readonly kind: 'refused' }>;

/** The guard's no, as every route answers it: code `guard_refused`, with the blast radius and the token to insist. */
export function guardRefusal(refused: Refused, base: number): Refusal {
  const { reason, radius, token, candidate, given } = refused;
  const how =
    token === null
      ? 'Ask the operator.'
      : 'If it is meant, repeat it with the token and a reason (--insist and --reason; headers Waybill-Insist and Waybill-Reason).';
  return {
    ...refuse('guard_refused', `${givenText(given)}${why(reason, radius)} ${how}`),
    guard: { reason, base, candidate, ...radiusAnswer(radius), token },
  };
}

/** The blast radius as answers show it. */
export function radiusAnswer(radius: BlastRadius): Readonly<Record<string, unknown>> {
  return { ...radius };
}

function givenText(given: Refused['given']): string {
  switch (given) {
    case null:
      return '';
    case 'unknown':
      return 'The token to insist with is not known: used already, expired, or from before a restart. ';
    case 'older':
      return 'The configuration has changed since the token was given: look again. ';
    case 'other':
      return 'The token to insist with was given for another change. ';
  }
}

function why(reason: GuardReason, radius: BlastRadius): string {
  const { streams, streamsEnded, streamsStarted, accounts, hour } = radius;
  const lines = `${linesText(radius)}`;
  switch (reason) {
    case 'ends_everything':
      return `It would end delivery for all ${count(streams, 'stream')} that ${streams === 1 ? 'is' : 'are'} delivered (${lines}).`;
    case 'ends_many':
      return `It would end delivery for ${count(streamsEnded, 'stream')} of ${number(streams)}, over a tenth of them or of their lines (${lines}); ${count(accounts, 'account')} would be touched.`;
    case 'hour_full':
      return `With it, operators would have ended delivery for ${count(hour.streams, 'stream')} of ${count(hour.accounts, 'account')} within an hour (now ${lines}), more than a hand's work.`;
    case 'over_capacity':
      return `It would start ${count(streamsStarted, 'stream')} beside ${number(streams)}, more than this server can take.`;
  }
}

function linesText({ linesPerHour, streamsEnded, streamsUnknown }: BlastRadius): string {
  if (streamsEnded === 0) return 'no lines';
  if (streamsUnknown === streamsEnded) return 'how many lines is not known';
  const known = `${number(linesPerHour)} lines an hour when busy`;
  return streamsUnknown === 0 ? known : `${known}, and ${count(streamsUnknown, 'stream')} unknown`;
}

function count(value: number, one: string): string {
  return `${number(value)} ${one}${value === 1 ? '' : 's'}`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
