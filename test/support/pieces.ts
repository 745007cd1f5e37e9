/** Long work in pieces, each a process of its own: one that ends early costs only itself, and all processors are used. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface PiecesOptions<Result> {
  /** Run once a piece, with its arguments; the last line that it prints is its result as JSON. */
  readonly script: string;
  readonly pieces: readonly (readonly string[])[];
  readonly processes: number;
  /** No piece is begun after this time, and what still runs then is ended. */
  readonly mostMs: number;
  readonly nodeFlags?: readonly string[];
  readonly done: (result: Result) => void | Promise<void>;
}

/** @returns how many pieces ended without a result, or were not reached in time */
export async function inPieces<Result>(options: PiecesOptions<Result>): Promise<number> {
  const until = performance.now() + options.mostMs;
  const left = [...options.pieces];
  let unfinished = left.length;
  const work = async (): Promise<void> => {
    while (performance.now() < until) {
      const piece = left.shift();
      if (piece === undefined) return;
      const text = await lastLine(options, piece, until - performance.now());
      if (text === undefined) continue;
      unfinished -= 1;
      await options.done(JSON.parse(text) as Result);
    }
  };
  await Promise.all(Array.from({ length: options.processes }, work));
  return unfinished;
}

/** What a process said last; undefined when it did not end well. */
async function lastLine(
  { nodeFlags = [], script }: { readonly nodeFlags?: readonly string[]; readonly script: string },
  piece: readonly string[],
  mostMs: number,
): Promise<string | undefined> {
  const child = spawn(process.execPath, [...nodeFlags, script, ...piece], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), mostMs);
  let last: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) last = line;
  const code = await ended;
  clearTimeout(timer);
  return code === 0 ? last : undefined;
}
