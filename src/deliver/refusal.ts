/**
 * What to do when a receiver refuses a batch. Nothing is ever dropped because of one answer: a receiver that refuses
 * everything (a wrong schema, a deploy gone bad) looks the same as one that refuses a bad line.
 *
 * - `split` (too large): halved.
 * - `reject` (bad): halved only while something shows that the same destination accepts other batches.
 * - A single line is given up when it was refused alone, another batch was accepted after the first refusal of it (or of
 *   the batch that it came in), and it was then refused alone again.
 * - Everything else rests and is probed; when nothing shows that others pass, the job is blocked and its owner told.
 * - When every open plan was refused and there may be no new one, a few are halved all the same: each may hold one bad
 *   line, and a half that passes shows it. Nothing is lost by halving, and the number is bounded.
 */

/** What is remembered of a plan's refusals; halves inherit it. */
export interface Refusals {
  /** Batches that the destination had accepted when these lines were first refused; undefined: not refused yet. */
  readonly acceptsAtFirst: number | undefined;
  /** How often the line was refused alone. */
  readonly alone: number;
}

export const NEVER_REFUSED: Refusals = { acceptsAtFirst: undefined, alone: 0 };

export interface Refusal {
  readonly kind: 'split' | 'reject';
  /** Lines in the plan's range. */
  readonly lines: number;
  /** Batches that the destination has accepted so far. */
  readonly accepts: number;
  /** Whether one of them was accepted lately. */
  readonly acceptedLately: boolean;
  /** Whether the job may have one more open plan. */
  readonly maySplit: boolean;
  /** Whether only halves could still show that the destination accepts anything. */
  readonly explore: boolean;
}

export interface Judgement {
  readonly verdict: 'halve' | 'give_up_line' | 'rest';
  readonly refusals: Refusals;
  /** Whether nothing shows that the destination accepts anything, or too much is open: the job probes from now on. */
  readonly blocked: boolean;
}

export function judgeRefusal(before: Refusals, refusal: Refusal): Judgement {
  const acceptsAtFirst = before.acceptsAtFirst ?? refusal.accepts;
  const acceptedSince = refusal.accepts > acceptsAtFirst;
  const othersPass = acceptedSince || refusal.acceptedLately;
  if (refusal.lines > 1) {
    // Being too large says nothing about the lines, so it starts no record of refusals.
    const refusals = refusal.kind === 'split' ? before : { ...before, acceptsAtFirst };
    const halve = refusal.maySplit && (refusal.kind === 'split' || othersPass || refusal.explore);
    const blocked = !halve || (refusal.kind === 'reject' && !othersPass);
    return { verdict: halve ? 'halve' : 'rest', refusals, blocked };
  }
  const refusals = { acceptsAtFirst, alone: before.alone + 1 };
  const giveUp = acceptedSince && refusals.alone >= 2;
  return { verdict: giveUp ? 'give_up_line' : 'rest', refusals, blocked: !othersPass };
}
