/** Faults that a test plans for the simulated file system: which call, and what becomes of it. */

export const OPERATIONS = [
  'open',
  'read',
  'write',
  'sync',
  'truncate',
  'size',
  'close',
  'rename',
  'unlink',
  'makeDirectory',
  'list',
  'stat',
  'realPath',
  'syncDirectory',
  'space',
  'lock',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What becomes of a call. */
export type Effect =
  /** It fails. A write may have taken some bytes before. */
  | { readonly kind: 'fail'; readonly code: string; readonly afterBytes?: number }
  /** A read or write that does at most so many bytes. */
  | { readonly kind: 'short'; readonly bytes: number }
  /** It waits before it is done. */
  | { readonly kind: 'stall'; readonly until: Promise<void> };

export interface Fault {
  readonly operation: Operation;
  /** Which call of its kind, counted from when the fault is planned; the first is 1. */
  readonly nth: number;
  /** From that call on, and not only it. */
  readonly forever?: boolean;
  readonly effect: Effect;
}

export class FaultPlan {
  #planned: { readonly fault: Fault; left: number }[] = [];
  /** Faults that have struck. */
  struck = 0;

  add(fault: Fault): void {
    this.#planned.push({ fault, left: fault.nth });
  }

  clear(): void {
    this.#planned = [];
  }

  /** What becomes of this call. */
  next(operation: Operation): Effect | undefined {
    let effect: Effect | undefined;
    for (const planned of this.#planned) {
      if (planned.fault.operation !== operation) continue;
      planned.left--;
      const strikes = planned.fault.forever ? planned.left <= 0 : planned.left === 0;
      if (strikes) effect ??= planned.fault.effect;
    }
    if (effect) this.struck++;
    return effect;
  }
}
