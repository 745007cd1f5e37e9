/**
 * A job's circuit: whether its batches flow, and if not, why. The table is the machine; a missing cell does not compile.
 *
 * `flowing`: up to a few attempts at once. `backing_off`: several attempts failed in a row, so one attempt at a time probes.
 * `blocked`: the receiver refuses batches as bad and has accepted none lately; one attempt at a time probes. `paused` and
 * `closed`: nothing is started, attempts under way still end.
 */
export const CIRCUIT_STATES = ['flowing', 'backing_off', 'blocked', 'paused', 'closed'] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

export const CIRCUIT_EVENTS = [
  /** A batch was accepted. */
  'accepted',
  /** So many attempts in a row have failed that the breaker opens. */
  'tripped',
  /** A batch was refused as bad while nothing shows that others pass. */
  'refused',
  /** The destination's settings changed: what was known of it no longer counts. */
  'redirected',
  /** The job was switched off. */
  'pause',
  /** The job was deleted. */
  'close',
  /** The job is there and switched on. */
  'open',
] as const;
export type CircuitEvent = (typeof CIRCUIT_EVENTS)[number];

const NEXT = {
  flowing: {
    accepted: 'flowing',
    tripped: 'backing_off',
    refused: 'blocked',
    redirected: 'flowing',
    pause: 'paused',
    close: 'closed',
    open: 'flowing',
  },
  backing_off: {
    accepted: 'flowing',
    tripped: 'backing_off',
    refused: 'blocked',
    redirected: 'flowing',
    pause: 'paused',
    close: 'closed',
    open: 'backing_off',
  },
  blocked: {
    accepted: 'flowing',
    // The receiver is out of reach now; what it said of the bytes is asked again when it is back.
    tripped: 'backing_off',
    refused: 'blocked',
    redirected: 'flowing',
    pause: 'paused',
    close: 'closed',
    open: 'blocked',
  },
  paused: {
    accepted: 'paused',
    tripped: 'paused',
    refused: 'paused',
    redirected: 'paused',
    pause: 'paused',
    close: 'closed',
    open: 'flowing',
  },
  closed: {
    accepted: 'closed',
    tripped: 'closed',
    refused: 'closed',
    redirected: 'closed',
    pause: 'paused',
    close: 'closed',
    open: 'flowing',
  },
} as const satisfies Record<CircuitState, Record<CircuitEvent, CircuitState>>;

export function nextCircuit(state: CircuitState, event: CircuitEvent): CircuitState {
  return NEXT[state][event];
}
