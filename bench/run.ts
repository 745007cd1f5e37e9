/**
 * Runs a scenario of the load harness against Waybill or one of the harness's own peers, and prints a JSON line per run.
 *
 *   node bench/run.ts throughput waybill whole --mib 2048 --runs 3
 *   node bench/run.ts throughput limit l2 --mib 2048
 *   node bench/run.ts pair throughput waybill:whole limit:l2 --mib 2048 --runs 3      in turn, with the ratio
 *
 * The harness (independent producer, sink and verifier) is looked for in `../shared/bench`; WAYBILL_TEST_HARNESS names
 * another place. WAYBILL's own adapter is `peers/waybill.ts`.
 */
import { appendFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { waybill } from './peers/waybill.ts';

const NUMBERS = {
  mib: 'mib',
  body: 'bodyBytes',
  conns: 'conns',
  mbps: 'mbps',
  seconds: 'seconds',
  down: 'downS',
  kill: 'killS',
  quiet: 'quietMs',
  cap: 'capMiB',
} as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, { type: 'string' as const }])),
    runs: { type: 'string' },
    sink: { type: 'string' },
    out: { type: 'string' },
  },
});
const given = values as Record<string, string | undefined>;
const harness = pathToFileURL(
  `${resolve(process.env['WAYBILL_TEST_HARNESS'] ?? new URL('../../shared/bench', import.meta.url).pathname)}/`,
);
const load = async (path: string) =>
  (await import(new URL(path, harness).href)) as Record<string, never>;

interface Peer {
  readonly name: string;
  readonly variants: Record<string, unknown>;
}
type Result = Record<string, number>;
type Scenario = (options: Record<string, unknown>) => Promise<Result>;

const peerOf = async (name: string): Promise<Peer> =>
  name === 'waybill' ? waybill : ((await load(`peers/${name}.mjs`))['default'] as unknown as Peer);

async function runOnce(scenario: string, name: string, variant: string): Promise<Result> {
  const { calibrate } = (await load('lib/calibrate.mjs')) as unknown as { calibrate: () => number };
  const run = (await load(`scenarios/${scenario}.mjs`))['default'] as unknown as Scenario;
  const options: Record<string, unknown> = {
    peer: await peerOf(name),
    variant,
    sinkMode: given['sink'],
  };
  for (const [flag, option] of Object.entries(NUMBERS))
    if (given[flag] !== undefined) options[option] = Number(given[flag]);
  for (const [key, value] of Object.entries(options)) if (value === undefined) delete options[key];
  const gzipMBps = Number(calibrate().toFixed(1));
  const result = { ...(await run(options)), gzipMBps };
  const line = JSON.stringify({ scenario, peer: name, variant, ...result });
  process.stdout.write(`${line}\n`);
  if (given['out']) appendFileSync(given['out'], `${line}\n`);
  return result;
}

const { ensureCorpus } = (await load('lib/corpus.mjs')) as unknown as { ensureCorpus: () => void };
ensureCorpus();
const runs = Number(given['runs'] ?? 1);
const median = (numbers: number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
if (positionals[0] === 'pair') {
  const [, scenario, left, right] = positionals as [string, string, string, string];
  const ratios: { rate: number; cpu: number }[] = [];
  for (let n = 0; n < runs; n++) {
    const [a, b] = [
      await runOnce(scenario, ...(left.split(':') as [string, string])),
      await runOnce(scenario, ...(right.split(':') as [string, string])),
    ];
    ratios.push({
      rate: a['endToEndMBps']! / b['endToEndMBps']!,
      cpu: a['cpuPerGB']! / b['cpuPerGB']!,
    });
  }
  process.stdout.write(
    `${left} against ${right}: rate ${median(ratios.map(({ rate }) => rate)).toFixed(2)}, CPU per GB ${median(ratios.map(({ cpu }) => cpu)).toFixed(2)} (medians of ${runs} pairs)\n`,
  );
} else {
  const [scenario, name, variant] = positionals as [string, string, string];
  for (let n = 0; n < runs; n++) await runOnce(scenario, name, variant);
}
process.exit(0);
