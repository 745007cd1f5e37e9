/** Makes a history that fails as short as it still fails. */

export type Ended = { readonly kind: 'held' } | { readonly kind: 'broken'; readonly error: Error };

/** Numbers and names apart, what a failure says: shrinking must not run into another one. */
function claim(error: Error): string {
  return error.message.replaceAll(/[0-9a-f-]*\d[0-9a-f-]*/g, '#').slice(0, 60);
}

/** Leaves out all that is not needed for the failure. Gives up after `tries` runs. */
export async function shrink<Action>(
  run: (actions: readonly Action[]) => Promise<Ended>,
  actions: readonly Action[],
  broken: Error,
  tries = 400,
): Promise<readonly Action[]> {
  let best = actions;
  let left = tries;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.length && left > 0;) {
      const without = [...best.slice(0, from), ...best.slice(from + size)];
      left -= 1;
      const ended = await run(without);
      const same = ended.kind === 'broken' && claim(ended.error) === claim(broken);
      if (same) best = without;
      else from += size;
    }
  }
  return best;
}

const HANGING_MS = 20_000;

/** @throws when the work takes far longer than any action does: what is not done by then waits for something that never comes */
export async function withoutHanging(work: Promise<void>, action: unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const hanging = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hangs: ${JSON.stringify(action)}`)), HANGING_MS);
  });
  await Promise.race([work, hanging]).finally(() => clearTimeout(timer));
}

/** What a test says of a history that broke. */
export function told(
  { seed, actions }: { readonly seed: number; readonly actions: number },
  left: readonly unknown[],
  broken: Error,
): string {
  const steps = left.map((action) => JSON.stringify(action)).join('\n');
  return `seed ${seed}, ${actions} actions: ${broken.message}\nshrunk to:\n${steps}\n${broken.stack}`;
}
