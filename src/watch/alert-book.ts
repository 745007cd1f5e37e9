/** All alerts: which fire, which are over, who is told when. In memory, with a copy on disk. */
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { AlertStore } from './alert-store.ts';
import type { Alert, Finding, Notice, Verdicts, WatchLimits } from './contract.ts';
import { ALERT_KINDS } from './kinds.ts';
import type { AlertKind } from './kinds.ts';

export interface AlertBookDeps {
  readonly store: Pick<AlertStore, 'alerts' | 'write'>;
  readonly limits: Pick<WatchLimits, 'alerts' | 'resolved' | 'reminderMs' | 'flapMs'>;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Takes what somebody is to be told. */
  readonly tell: (notice: Notice) => void;
}

const keyOf = (kind: AlertKind, subject: string): string => `${kind} ${subject}`;
const OVERFLOW: AlertKind = 'too_many_alerts';
/** How far below the bound the alerts must fall until that they were too many is over. */
const ROOM_SHARE = 0.9;

export class AlertBook implements Verdicts {
  readonly #deps: AlertBookDeps;
  readonly #firing = new Map<string, Alert>();
  /** In the order of their end. */
  readonly #resolved = new Map<string, Alert>();
  readonly #begun = new Map<AlertKind, number>();
  readonly #byKind = new Map<AlertKind, Map<string, Alert>>();
  #changed = new Map<number, Alert>();
  #removed = new Set<number>();
  #nextId = 1;
  #unlisted = 0;

  constructor(deps: AlertBookDeps) {
    this.#deps = deps;
    const alerts = deps.store.alerts();
    for (const alert of alerts) {
      this.#nextId = Math.max(this.#nextId, alert.id + 1);
      if (alert.state === 'firing') this.#put(alert);
    }
    const over = alerts.filter(({ state }) => state === 'resolved');
    for (const alert of over.toSorted((a, b) => (a.resolvedMs ?? 0) - (b.resolvedMs ?? 0))) {
      this.#resolved.set(keyOf(alert.kind, alert.subject), alert);
    }
  }

  /** Those that fire, newest first, then those that are over, newest first. */
  list(): readonly Alert[] {
    const firing = [...this.#firing.values()].toSorted((a, b) => b.sinceMs - a.sinceMs);
    return [...firing, ...[...this.#resolved.values()].toReversed()];
  }

  isFiring(kind: AlertKind, subject: string): boolean {
    return this.#firing.has(keyOf(kind, subject));
  }

  current(kind: AlertKind, subject: string): Alert | undefined {
    return this.#firing.get(keyOf(kind, subject));
  }

  firing(kind?: AlertKind): readonly Alert[] {
    if (kind === undefined) return [...this.#firing.values()];
    return [...(this.#byKind.get(kind)?.values() ?? [])];
  }

  /** How many of a kind fire. */
  firingCount(kind: AlertKind): number {
    return this.#byKind.get(kind)?.size ?? 0;
  }

  /** How many of a kind have begun since the start of the process. */
  begun(kind: AlertKind): number {
    return this.#begun.get(kind) ?? 0;
  }

  fire(finding: Finding): void {
    const key = keyOf(finding.kind, finding.subject);
    const known = this.#firing.get(key);
    if (known) return this.#save({ ...known, ...finding });
    if (this.#firing.size >= this.#deps.limits.alerts && finding.kind !== OVERFLOW) {
      this.#unlisted += 1;
      return this.fire(overflow(this.#firing.size, this.#unlisted));
    }
    const nowMs = this.#nowMs();
    const before = this.#resolved.get(key);
    this.#resolved.delete(key);
    this.#begun.set(finding.kind, (this.#begun.get(finding.kind) ?? 0) + 1);
    const flaps = nowMs - (before?.toldMs ?? -Infinity) < this.#deps.limits.flapMs;
    const alert: Alert = {
      ...finding,
      id: before?.id ?? this.#nextId++,
      ...ALERT_KINDS[finding.kind],
      state: 'firing',
      sinceMs: nowMs,
      resolvedMs: null,
      times: (before?.times ?? 0) + 1,
      toldMs: before?.toldMs ?? null,
    };
    this.#deps.diagnostics.warn('alert', {
      kind: alert.kind,
      subject: alert.subject,
      text: alert.text,
    });
    if (flaps) this.#save(alert);
    else this.#tell('firing', alert);
  }

  clear(kind: AlertKind, subject: string): void {
    const key = keyOf(kind, subject);
    const known = this.#firing.get(key);
    if (!known) return;
    this.#firing.delete(key);
    this.#byKind.get(kind)?.delete(key);
    const nowMs = this.#nowMs();
    const alert: Alert = { ...known, state: 'resolved', resolvedMs: nowMs };
    this.#resolved.set(key, alert);
    this.#changed.set(alert.id, alert);
    this.#deps.diagnostics.info('alert is over', { kind, subject });
    // One that came back unsaid goes unsaid.
    if (known.toldMs !== null && known.toldMs >= known.sinceMs)
      this.#deps.tell({ reason: 'resolved', alert });
    this.#makeRoom();
    const { alerts } = this.#deps.limits;
    if (kind !== OVERFLOW && this.#firing.size <= alerts * ROOM_SHARE) {
      this.#unlisted = 0;
      this.clear(OVERFLOW, 'server');
    }
  }

  /** Reminds of what still fires and tells what came back unsaid and stayed; writes what has changed. Call it now and then. */
  tend(): void {
    const nowMs = this.#nowMs();
    const { reminderMs, flapMs } = this.#deps.limits;
    for (const alert of this.#firing.values()) {
      const sinceToldMs = alert.toldMs === null ? Infinity : nowMs - alert.toldMs;
      const unsaid = alert.toldMs === null || alert.toldMs < alert.sinceMs;
      if (unsaid && sinceToldMs >= flapMs) this.#tell('firing', alert);
      else if (!unsaid && sinceToldMs >= reminderMs) this.#tell('reminder', alert);
    }
    this.keep();
  }

  #tell(reason: 'firing' | 'reminder', alert: Alert): void {
    const told = { ...alert, toldMs: this.#nowMs() };
    this.#save(told);
    this.#deps.tell({ reason, alert: told });
  }

  #put(alert: Alert): void {
    const key = keyOf(alert.kind, alert.subject);
    this.#firing.set(key, alert);
    const same = this.#byKind.get(alert.kind) ?? new Map<string, Alert>();
    this.#byKind.set(alert.kind, same.set(key, alert));
  }

  #save(alert: Alert): void {
    this.#put(alert);
    this.#changed.set(alert.id, alert);
  }

  #makeRoom(): void {
    for (const [key, { id }] of this.#resolved) {
      if (this.#resolved.size <= this.#deps.limits.resolved) return;
      this.#resolved.delete(key);
      this.#changed.delete(id);
      this.#removed.add(id);
    }
  }

  /** Writes down what has changed. */
  keep(): void {
    if (this.#changed.size === 0 && this.#removed.size === 0) return;
    try {
      this.#deps.store.write([...this.#changed.values()], [...this.#removed]);
      this.#changed = new Map();
      this.#removed = new Set();
    } catch (error) {
      this.#deps.diagnostics.warn('alerts could not be written down; they are tried again', {
        error: String(error),
      });
    }
  }

  #nowMs(): number {
    return Math.floor(this.#deps.clock.wallMs());
  }
}

function overflow(listed: number, unlisted: number): Finding {
  return {
    kind: OVERFLOW,
    subject: 'server',
    stream: null,
    job: null,
    text: `${listed.toLocaleString('en-US')} alerts are listed; more are not (met ${unlisted.toLocaleString('en-US')} times).`,
    facts: { listed, unlisted },
  };
}
