import type { Verdicts, WatchLimits } from '../contract.ts';
import { moment, percent, span } from '../words.ts';

interface Look {
  readonly atMs: number;
  readonly share: number;
}

const STEP_MS = 30_000;
const LOOKS = 60;
/** How far below a bound its alert ends. */
const SLACK = 0.02;
/** Below that the disk is not looked at: a morning's peak is no trend. */
const FROM_SHARE = 0.5;

/** The disk: short, full, or on its way there, and when. */
export class DiskRules {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  readonly #marks: { readonly low: number; readonly high: number };
  #looks: Look[] = [];

  constructor(
    verdicts: Verdicts,
    limits: WatchLimits,
    marks: { readonly low: number; readonly high: number },
  ) {
    this.#verdicts = verdicts;
    this.#limits = limits;
    this.#marks = marks;
  }

  /** @param nowMs monotonic */
  look(share: number, nowMs: number, wallMs: number): void {
    // Before the shard has asked the disk.
    if (share === 0) return;
    this.#level('disk_full', share, this.#marks.high, 'Nothing is accepted until there is room');
    this.#level('disk_low', share, this.#marks.low, 'Accounts above their fair share are refused');
    const last = this.#looks.at(-1);
    if (last && nowMs - last.atMs < STEP_MS) return;
    this.#looks = [...this.#looks, { atMs: nowMs, share }].slice(-LOOKS);
    this.#trend(share, nowMs, wallMs);
  }

  #level(kind: 'disk_low' | 'disk_full', share: number, mark: number, what: string): void {
    if (share < mark - SLACK) return this.#verdicts.clear(kind, 'server');
    if (share < mark && !this.#verdicts.isFiring(kind, 'server')) return;
    this.#verdicts.fire({
      kind,
      subject: 'server',
      stream: null,
      job: null,
      text: `${percent(share)} of the disk is in use. ${what} from ${percent(mark)} on.`,
      facts: { usedShare: round(share), mark },
    });
  }

  #trend(share: number, nowMs: number, wallMs: number): void {
    const first = this.#looks[0];
    if (!first || nowMs - first.atMs < this.#limits.diskLookMs) return;
    const perMs = (share - first.share) / (nowMs - first.atMs);
    const endsInMs = perMs > 0 ? Math.max(0, this.#marks.high - share) / perMs : Infinity;
    const firing = this.#verdicts.isFiring('disk_filling', 'server');
    const bound = firing ? this.#limits.diskEndsOverMs : this.#limits.diskEndsMs;
    if (endsInMs > bound || share < FROM_SHARE || share >= this.#marks.high) {
      return this.#verdicts.clear('disk_filling', 'server');
    }
    this.#verdicts.fire({
      kind: 'disk_filling',
      subject: 'server',
      stream: null,
      job: null,
      text: `${percent(share)} of the disk is in use, and it grows. At this pace it reaches ${percent(this.#marks.high)} in ${span(endsInMs)}, at about ${moment(wallMs + endsInMs)}; then nothing is accepted.`,
      facts: { usedShare: round(share), endsMs: Math.round(wallMs + endsInMs) },
    });
  }
}

const round = (share: number): number => Math.round(share * 1000) / 1000;
