import { performance } from 'node:perf_hooks';

/**
 * How busy this thread's event loop was since it was last asked: 0 (idle) to 1. What delivery does on the thread counts too;
 * waiting for the disk or the network does not.
 */
export function threadBusy(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
