import type { Verdicts, WatchLimits } from '../contract.ts';
import type { AlertKind } from '../kinds.ts';

/** Alarms of the log that have an alert of their own. All others are `alarm_logged`. */
const KIND_OF: Readonly<Record<string, AlertKind>> = {
  'the control store does not take changes': 'configuration_read_only',
  'the control store cannot be read': 'configuration_read_only',
  'a configuration could not be put in force': 'configuration_refused',
  'delivery.lines.corrupt': 'corrupt_lines',
};

/** Alarms that another rule tells better. */
const TOLD_ELSEWHERE = new Set([
  'buffer.disk',
  'shard thread failed',
  'shard thread ended; starting it again',
]);

const EVENTS = 200;

/** Whatever is logged as an alarm is an alert too, until it has not come again for a while. */
export class LoggedAlarms {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  /** Monotonic time of the last one, by kind and subject. */
  readonly #last = new Map<
    string,
    { readonly kind: AlertKind; readonly subject: string; readonly atMs: number }
  >();

  constructor(verdicts: Verdicts, limits: WatchLimits) {
    this.#verdicts = verdicts;
    this.#limits = limits;
    for (const kind of new Set([...Object.values(KIND_OF), 'alarm_logged' as const])) {
      for (const { subject } of verdicts.firing(kind)) {
        if (subject.startsWith(SUBJECT))
          this.#last.set(`${kind} ${subject}`, { kind, subject, atMs: -Infinity });
      }
    }
  }

  /** @param nowMs monotonic */
  logged(event: string, detail: string | undefined, nowMs: number): void {
    if (TOLD_ELSEWHERE.has(event)) return;
    const kind = KIND_OF[event] ?? 'alarm_logged';
    const subject = `${SUBJECT}${event.slice(0, 100)}`;
    const key = `${kind} ${subject}`;
    if (!this.#last.has(key) && this.#last.size >= EVENTS) return;
    this.#last.set(key, { kind, subject, atMs: nowMs });
    const times = Number(this.#verdicts.current(kind, subject)?.facts['times'] ?? 0) + 1;
    this.#verdicts.fire({
      kind,
      subject,
      stream: null,
      job: null,
      text: `${event}${detail === undefined ? '' : `: ${detail}`}${times > 1 ? ` (${times} times)` : ''}`,
      facts: { times },
    });
  }

  /** @param nowMs monotonic */
  tick(nowMs: number): void {
    for (const [key, { kind, subject, atMs }] of this.#last) {
      // From before a restart: quiet from now on.
      if (atMs === -Infinity) this.#last.set(key, { kind, subject, atMs: nowMs });
      else if (nowMs - atMs >= this.#limits.quietMs) {
        this.#last.delete(key);
        this.#verdicts.clear(kind, subject);
      }
    }
  }
}

const SUBJECT = 'log: ';
