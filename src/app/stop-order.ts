/**
 * Hears SIGTERM and SIGINT from this call on: call it before anything says that the process is ready, so that an order that
 * comes at once is heard too. A second signal ends the process at once with exit code 0.
 *
 * @returns resolves at the first signal
 */
export function stopOrder(): Promise<void> {
  return new Promise((resolve) => {
    let ordered = false;
    const hear = () => {
      if (ordered) process.exit(0);
      ordered = true;
      resolve();
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, hear);
  });
}
