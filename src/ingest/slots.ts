/** A few places that many want, given in turn to each payer that waits, so that one's queue is not another's delay (I6). */
export interface Slots {
  /** Runs `work` once there is a place. */
  run<T>(payer: string, work: () => Promise<T>): Promise<T>;
}

export function slots(places: number): Slots {
  /** Payers in the order of their next turn, each with those of its requests that wait. */
  const waiting = new Map<string, (() => void)[]>();
  let free = places;

  const next = (): void => {
    const turn = waiting.entries().next();
    if (turn.done) {
      free++;
      return;
    }
    const [payer, queue] = turn.value;
    waiting.delete(payer);
    const go = queue.shift();
    if (queue.length > 0) waiting.set(payer, queue);
    go?.();
  };
  const enter = (payer: string): Promise<void> => {
    if (free > 0) {
      free--;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const queue = waiting.get(payer);
      if (queue === undefined) waiting.set(payer, [resolve]);
      else queue.push(resolve);
    });
  };
  return {
    async run(payer, work) {
      await enter(payer);
      try {
        return await work();
      } finally {
        next();
      }
    },
  };
}
