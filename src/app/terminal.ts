import { writeSync } from 'node:fs';
import type { CliContext } from '../cli/index.ts';

/** The process's own terminal as the command line wants it. Colours only where somebody looks (https://no-color.org). */
export function terminal(): CliContext {
  const { env } = process;
  const colour = process.stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return {
    environment: env,
    input: process.stdin,
    output: {
      out: (text) => write(1, text),
      note: (text) => write(2, text),
      colour,
      live: process.stderr.isTTY === true && env['TERM'] !== 'dumb',
      columns: process.stdout.columns ?? 100,
    },
  };
}

/** Whole and in order, also into a pipe that is full for the moment; a reader that went away ends the process quietly. */
function write(descriptor: 1 | 2, text: string): void {
  let rest: Buffer = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (code === 'EPIPE') process.exit(0);
      else throw error;
    }
  }
}
