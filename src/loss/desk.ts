import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { Waybill } from '../model/delivery.ts';
import { TOLD_REASONS } from './contract.ts';
import type { LossAnswer, LossLimits, LossMarker, SealedNotice } from './contract.ts';
import { markerOf } from './marker.ts';
import type { LossStore } from './store.ts';

export interface LossDeskDeps {
  readonly store: LossStore;
  readonly limits: LossLimits;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Carries a marker to the job's destination. May reject: it is then tried later. */
  readonly tell: (marker: LossMarker) => Promise<LossAnswer>;
}

/** How it stands with one job. */
interface Standing {
  /** Monotonic time of the next look. */
  notBeforeMs: number;
  /** Tries in vain, in a row. */
  tries: number;
  underWay: boolean;
  owes: boolean;
}

/**
 * Owes destinations a word for each loss and sees that they get it: losses are gathered per job, hour and reason, written down,
 * and sent when the destination takes them. Nothing here touches a line or the books.
 */
export class LossDesk {
  readonly #deps: LossDeskDeps;
  readonly #standings = new Map<number, Standing>();
  /** Heard and not yet written down. */
  #heard: Waybill[] = [];
  #underWay = 0;
  #closed = false;

  constructor(deps: LossDeskDeps) {
    this.#deps = deps;
    for (const job of deps.store.jobs()) this.#owe(job);
  }

  /** A waybill that drops lines. The same may come again. */
  heard(waybill: Waybill): void {
    if (TOLD_REASONS.some((reason) => waybill.counts.dropped[reason])) this.#heard.push(waybill);
  }

  /**
   * Writes down what was heard, before the books commit that they have summed it. What the disk does not take stays in memory and
   * is tried again; the books do not wait for it.
   */
  keep(): void {
    if (this.#heard.length === 0 || this.#closed) return;
    const { store, limits, diagnostics } = this.#deps;
    try {
      const { jobs, noRoom } = store.take(this.#heard);
      this.#heard = [];
      for (const job of jobs) this.#owe(job);
      if (noRoom > 0) {
        diagnostics.warn('too many notices of lost lines wait; the ledger alone tells of more', {
          waiting: limits.owed,
          losses: noRoom,
        });
      }
    } catch (error) {
      const forgotten = Math.max(0, this.#heard.length - limits.heard);
      this.#heard.splice(0, forgotten);
      diagnostics.warn('losses could not be written down for their destinations; tried again', {
        error: String(error),
        forgotten,
      });
    }
  }

  /** Sends what is due. Call it now and then. */
  tend(): void {
    this.keep();
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [job, standing] of this.#standings) {
      if (this.#closed || this.#underWay >= this.#deps.limits.atOnce) return;
      if (standing.underWay || standing.notBeforeMs > nowMs) continue;
      this.#standings.delete(job);
      if (!standing.owes) continue;
      // To the end of the line: who was served last is asked last.
      this.#standings.set(job, standing);
      void this.#serve(job, standing);
    }
  }

  close(): void {
    this.keep();
    this.#closed = true;
    this.#deps.store.close();
  }

  #owe(job: number): void {
    const standing = this.#standings.get(job);
    if (standing) {
      standing.owes = true;
      return;
    }
    const notBeforeMs = this.#deps.clock.monotonicMs() + this.#deps.limits.gatherMs;
    this.#standings.set(job, { notBeforeMs, tries: 0, underWay: false, owes: true });
  }

  async #serve(job: number, standing: Standing): Promise<void> {
    const { store, clock, diagnostics } = this.#deps;
    standing.underWay = true;
    this.#underWay += 1;
    let isDone = false;
    try {
      const notice = store.next(job, clock.wallMs());
      if (notice) {
        const answer = await this.#deps.tell(markerOf(notice));
        if (this.#closed) return;
        isDone = this.#isDone(notice, answer);
        if (isDone) store.remove(notice.id);
      } else isDone = true;
      standing.owes = store.owes(job);
    } catch (error) {
      isDone = false;
      diagnostics.debug('a notice of lost lines is tried again', { job, error: String(error) });
    } finally {
      standing.underWay = false;
      this.#underWay -= 1;
      this.#wait(standing, isDone);
    }
  }

  #isDone(notice: SealedNotice, answer: LossAnswer): boolean {
    const { clock, diagnostics, limits } = this.#deps;
    const { job, id, reason, lines } = notice;
    switch (answer) {
      case 'told':
        diagnostics.info('a destination was told of lost lines', { job, id, reason, lines });
        return true;
      case 'refused':
        diagnostics.warn('a destination refuses the notice of lost lines', { job, id });
        return true;
      case 'later':
        return false;
      case 'no job':
        return clock.wallMs() - notice.toldMs > limits.keepMs;
    }
  }

  #wait(standing: Standing, isDone: boolean): void {
    const { gatherMs, spacingMs, retryMs, retryMsMost } = this.#deps.limits;
    standing.tries = isDone ? 0 : standing.tries + 1;
    const backOffMs = Math.min(retryMsMost, retryMs * 2 ** Math.min(standing.tries - 1, 40));
    const waitMs = isDone ? (standing.owes ? gatherMs : spacingMs) : backOffMs;
    standing.notBeforeMs = this.#deps.clock.monotonicMs() + waitMs;
  }
}
