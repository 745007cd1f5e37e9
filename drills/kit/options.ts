/** What stands behind `waybill drill`. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';

export interface RunOptions {
  readonly short: boolean;
  readonly json: boolean;
  /** Lets one delivered line vanish before it is counted: the verdict must be red. */
  readonly takeAway: boolean;
  /** Leaves the drill's folder with logs and data where it is. */
  readonly keep: boolean;
  /** Where the report goes. */
  readonly report: string;
  /** The one part that is run; undefined: all of the drill. */
  readonly only: string | undefined;
}

export type Order =
  | { readonly kind: 'help' }
  | { readonly kind: 'list'; readonly json: boolean }
  | { readonly kind: 'run'; readonly name: string; readonly options: RunOptions };

export const HELP = `Usage: waybill drill list [--json]
       waybill drill run <name> [options]

Rehearses a disaster on real processes of its own, in a temporary folder and on free ports, and says whether every
line is accounted for. It touches no running server.

  --short         a shorter form
  --only <part>   only this part (the list names them); the verdict is then INCOMPLETE at best
  --report <dir>  where the report goes [.waybill/drills]
  --json          print the report as JSON; progress goes to standard error
  --take-away     let one delivered line vanish before it is counted: the drill must notice and fail
  --keep          leave the folder with the servers' logs and data

Exit codes: 0 it held, 1 it did not, 2 misuse, 5 it could not be run here in whole.
`;

/** @throws Error with what is wrong */
export function readOrder(args: readonly string[]): Order {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'take-away': { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      only: { type: 'string' },
      report: { type: 'string', default: join('.waybill', 'drills') },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { short, json, keep, report, only } = values;
  if (values.help) return { kind: 'help' };
  const [what, name, ...rest] = positionals;
  if (what === 'list' && name === undefined) return { kind: 'list', json };
  if (what === 'run' && name !== undefined && rest.length === 0) {
    return {
      kind: 'run',
      name,
      options: { short, json, keep, report, only, takeAway: values['take-away'] },
    };
  }
  throw new Error('say `list` or `run <name>`');
}
