/**
 * Very many steps of the model, in pieces: each piece is a process of its own over seeds of its own, so that one that ends
 * early costs little, and a history that fails does not keep the others from being run.
 *
 *   node test/sim/many.ts --steps 1000000 --processes 2 --minutes 240 --report steps.jsonl
 *
 * A line a piece says how far it is; a failure names its seed and is made short. Exit code 1 when a history failed, or when
 * time was up first.
 */
import { randomInt } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { inPieces } from '../support/pieces.ts';
import { explain, runHistory } from './history.ts';
import { Seen } from './seen.ts';
import type { SeenCounts } from './seen.ts';

/** Actions of a history. Each is a step, and so are the three that end it. */
const ACTIONS = 200;

export interface ManyOptions {
  readonly steps: number;
  /** Seeds are counted up from here: the same one gives the same run. */
  readonly firstSeed: number;
  readonly pieceSteps: number;
  readonly processes: number;
  /** No piece is begun after this time, and what still runs then is ended. */
  readonly mostMs: number;
  /** Takes a line of JSON for each piece. */
  readonly report?: string;
  readonly say?: (text: string) => void;
}

interface Failure {
  readonly seed: number;
  readonly actions: number;
  readonly told: string;
}

interface Piece {
  readonly firstSeed: number;
  readonly histories: number;
  readonly seen: SeenCounts;
  readonly cpuSeconds: number;
  readonly failures: readonly Failure[];
}

export interface ManyReport {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly seen: Seen;
  readonly cpuSeconds: number;
  readonly failures: readonly Failure[];
  /** Pieces that ended without a word, or that time did not reach. */
  readonly unfinished: number;
}

export async function runPieces(options: ManyOptions): Promise<ManyReport> {
  const { firstSeed, mostMs, processes, report, say = () => {} } = options;
  const histories = Math.ceil(options.pieceSteps / ACTIONS);
  const count = Math.ceil(options.steps / (histories * ACTIONS));
  const seen = new Seen();
  const failures: Failure[] = [];
  let cpuSeconds = 0;
  const unfinished = await inPieces<Piece>({
    script: fileURLToPath(import.meta.url),
    pieces: Array.from({ length: count }, (_, index) => {
      const seed = firstSeed + index * histories;
      return ['--first-seed', String(seed), '--histories', String(histories)];
    }),
    processes,
    mostMs,
    // Short-lived things are most of a history's memory.
    nodeFlags: ['--max-semi-space-size=32'],
    async done(piece) {
      cpuSeconds += piece.cpuSeconds;
      failures.push(...piece.failures);
      seen.add(piece.seen);
      for (const { told } of piece.failures) say(told);
      say(`${seen.steps} steps, ${failures.length} failures, ${Math.round(cpuSeconds)} CPU s`);
      if (report !== undefined) await appendFile(report, `${JSON.stringify(piece)}\n`);
    },
  });
  return { firstSeed, seeds: count * histories, seen, cpuSeconds, failures, unfinished };
}

/** Runs one history after the other; what fails is told, and the next one is run. */
async function runPiece(firstSeed: number, histories: number): Promise<Piece> {
  const seen = new Seen();
  const failures: Failure[] = [];
  for (let seed = firstSeed; seed < firstSeed + histories; seed += 1) {
    const history = { seed, actions: ACTIONS };
    const verdict = await runHistory(history);
    seen.add(verdict.seen);
    if (verdict.kind === 'held') continue;
    failures.push({ ...history, told: await explain(history, verdict.error) });
  }
  const { system, user } = process.cpuUsage();
  return { firstSeed, histories, seen, cpuSeconds: (user + system) / 1e6, failures };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '1000000' },
      piece: { type: 'string', default: '50000' },
      processes: { type: 'string', default: '2' },
      minutes: { type: 'string', default: '240' },
      report: { type: 'string' },
      'first-seed': { type: 'string', default: String(randomInt(1_000_000, 2 ** 31)) },
      /** A piece by itself: so many, in this process. */
      histories: { type: 'string' },
    },
  });
  const firstSeed = Number(values['first-seed']);
  if (values.histories !== undefined) {
    process.stdout.write(
      `${JSON.stringify(await runPiece(firstSeed, Number(values.histories)))}\n`,
    );
    process.exit(0);
  }
  const { failures, unfinished, ...found } = await runPieces({
    firstSeed,
    steps: Number(values.steps),
    pieceSteps: Number(values.piece),
    processes: Number(values.processes),
    mostMs: Number(values.minutes) * 60_000,
    ...(values.report !== undefined && { report: values.report }),
    say: (text) => process.stdout.write(`${text}\n`),
  });
  process.stdout.write(`${JSON.stringify(found)}\n`);
  process.stdout.write(
    `${failures.length} histories failed, ${unfinished} pieces were not finished\n`,
  );
  process.exitCode = failures.length + unfinished > 0 ? 1 : 0;
}
