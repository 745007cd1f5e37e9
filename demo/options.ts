/** What `npm run demo -- ...` takes. */
import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** Delete one delivered object before the verdict, which must then be a bad one. */
  readonly break: boolean;
  /** How long producers send. */
  readonly seconds: number;
  /** Lines a second, all producers together. */
  readonly rate: number;
  /** Where everything is kept; absent: a temporary folder. */
  readonly folder: string | undefined;
}

export const HELP = `npm run demo -- [options]

  --break          delete one delivered object before the verdict: it must end in red
  --seconds <n>    how long producers send (30)
  --rate <n>       lines a second, all producers together (3000)
  --folder <path>  where everything is kept (a temporary folder)
`;

/** @throws {TypeError} with a message for the user */
export function readOptions(args: readonly string[]): DemoOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      break: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '30' },
      rate: { type: 'string', default: '3000' },
      folder: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  return {
    break: values.break,
    seconds: within('--seconds', values.seconds, 2, 600),
    rate: within('--rate', values.rate, 10, 20_000),
    folder: values.folder,
  };
}

function within(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (value >= least && value <= most) return value;
  throw new TypeError(`${name} takes a number from ${least} to ${most}, not ${text}`);
}
