/** Cancels a timer; harmless when it has fired already. */
export type Cancel = () => void;

/** Time as handed in, so that a simulated clock can stand in for the machine's. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970-01-01 UTC. May jump in either direction. */
  wallMs(): number;
  /** Monotonic time in milliseconds since an arbitrary start. Never goes back, and does not run while the process is off. */
  monotonicMs(): number;
  /** Calls `fire` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, fire: () => void): Cancel;
  /** Calls `fire` every `intervalMs` until cancelled. Does not keep the process alive. */
  every(intervalMs: number, fire: () => void): Cancel;
  /** Resolves after `delayMs`, or at once when `signal` aborts (it does not reject). */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs).unref();
    return () => clearTimeout(timer);
  },
  every(intervalMs, fire) {
    const timer = setInterval(fire, intervalMs).unref();
    return () => clearInterval(timer);
  },
  sleep(delayMs, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      signal?.addEventListener('abort', done, { once: true });
    });
  },
};
