/**
 * One job's account, from its waybills alone. They may come in any order and several times (the log and the archive both
 * hold them, and the archive holds some twice after a crash): each counts once, by its sequence.
 */
import type { ChainEnd } from './checkpoint.ts';
import { count } from './findings.ts';
import type { Findings } from './findings.ts';
import { Ranges } from './ranges.ts';
import { nothing, totalsOf } from './waybill.ts';
import type { Waybill } from './waybill.ts';

/** Waybills that follow each other: what must join its neighbours at either end. */
interface Chain {
  from: number;
  to: number;
  firstPrevious: string | null;
  lastHash: string;
}

export class JobBook {
  readonly job: number;
  readonly settled = new Ranges();
  readonly totals = nothing();
  readonly totalsToCheckpoint = nothing();
  readonly settledToCheckpoint = new Ranges();
  /** Lines that two waybills claim. */
  settledTwice = 0;
  readonly #checkpoint: ChainEnd;
  readonly #findings: Findings;
  #chains: Chain[] = [];

  /** @param checkpoint where the chain stood in it: sums up to there are kept apart, to be compared with the checkpoint's */
  constructor(job: number, checkpoint: ChainEnd, findings: Findings) {
    this.job = job;
    this.#checkpoint = checkpoint;
    this.#findings = findings;
  }

  /** @param hash what the next waybill must name */
  add(waybill: Waybill, hash: string): void {
    if (!this.#link(waybill, hash)) return;
    const { range, sequence } = waybill;
    const { delivered, excluded, dropped } = totalsOf(waybill.counts);
    const lines = delivered + excluded + dropped;
    if (lines !== range.to - range.from) {
      this.#tell(
        `waybill ${sequence} accounts for ${count(lines, 'line')} of ${range.to - range.from}`,
      );
    }
    const twice = this.settled.add(range.from, range.to);
    if (twice > 0) this.#tell(`waybill ${sequence} settles ${count(twice, 'line')} a second time`);
    this.settledTwice += twice;
    const sums = [this.totals];
    if (sequence === this.#checkpoint.sequence && hash !== this.#checkpoint.chain) {
      this.#tell(`waybill ${sequence} is not the one that the checkpoint knows`);
    }
    if (sequence <= this.#checkpoint.sequence) {
      sums.push(this.totalsToCheckpoint);
      this.settledToCheckpoint.add(range.from, range.to);
    }
    for (const totals of sums) {
      totals.delivered += delivered;
      totals.excluded += excluded;
      totals.dropped += dropped;
    }
  }

  /** Number of the newest waybill. */
  get sequence(): number {
    return this.#chains.at(-1)?.to ?? 0;
  }

  /** The numbers between `from` and `to` (both included) of which no waybill was found. */
  missing(from: number, to: number): string[] {
    const gaps: string[] = [];
    let next = from;
    for (const chain of [...this.#chains, { from: to + 1, to: to + 1 }]) {
      const last = Math.min(chain.from - 1, to);
      if (last === next) gaps.push(`${next}`);
      else if (last > next) gaps.push(`${next} to ${last}`);
      next = Math.max(next, chain.to + 1);
    }
    return gaps;
  }

  /** Number of the oldest waybill that was found; 0 when there is none. */
  get oldest(): number {
    return this.#chains[0]?.from ?? 0;
  }

  /** Puts the waybill into its place in the chain. False when it is there already. */
  #link(waybill: Waybill, hash: string): boolean {
    const { sequence, previous } = waybill;
    let at = this.#chains.findLastIndex((chain) => chain.from <= sequence);
    const before = this.#chains[at];
    if (before && sequence <= before.to) return false;
    if (sequence === 1 && previous !== null) this.#tell('its first waybill names one before it');
    if (before?.to === sequence - 1) {
      this.#compare(previous, before.lastHash, sequence);
      before.to = sequence;
      before.lastHash = hash;
    } else {
      at += 1;
      const alone = { from: sequence, to: sequence, firstPrevious: previous, lastHash: hash };
      this.#chains.splice(at, 0, alone);
    }
    const here = this.#chains[at]!;
    const behind = this.#chains[at + 1];
    if (behind?.from === here.to + 1) {
      this.#compare(behind.firstPrevious, here.lastHash, behind.from);
      here.to = behind.to;
      here.lastHash = behind.lastHash;
      this.#chains.splice(at + 1, 1);
    }
    return true;
  }

  #compare(named: string | null, hash: string, sequence: number): void {
    if (named !== hash) this.#tell(`waybill ${sequence} does not name the one before it`);
  }

  #tell(problem: string): void {
    this.#findings.add(`job ${this.job}: ${problem}`);
  }
}
