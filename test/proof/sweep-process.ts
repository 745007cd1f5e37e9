/**
 * Starts the real server on a folder with one damaged byte and says what must not be: a wrong line, a loss that is larger than
 * what was hit or told nowhere, a silent reset, a refusal that explains nothing.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { startServer } from '../support/server.ts';
import type { Server } from '../support/server.ts';
import { FOLDER_FLAGS } from './folder.ts';
import type { Folder, Promised } from './folder.ts';
import { postLines, until } from './rig.ts';
import type { Receiver } from './rig.ts';

const FRESH = '{"fresh":"after the damage"}';

export interface Trial {
  readonly started: boolean;
  /** What it said when it refused. */
  readonly refusal: string;
  readonly lost: number;
  readonly problems: readonly string[];
}

interface Ledger {
  readonly total: {
    readonly accepted: number;
    readonly waiting: number;
    readonly delivered: number;
    readonly dropped: Readonly<Record<string, number>>;
    readonly balanced: boolean;
  };
  readonly hours: readonly { readonly balanced: boolean }[];
}

/**
 * @param files the folder's files, one of them damaged or missing
 * @param damaged its path within the folder
 * @param most how many lines the damage may cost
 */
export async function tryStart(
  folder: Folder,
  files: ReadonlyMap<string, Buffer>,
  damaged: string,
  receiver: Receiver,
  work: string,
  most: number,
): Promise<Trial> {
  await rm(work, { recursive: true, force: true });
  for (const [name, bytes] of files) {
    await mkdir(dirname(join(work, name)), { recursive: true });
    await writeFile(join(work, name), bytes);
  }
  receiver.clear();
  receiver.closed.clear();
  let server: Server;
  try {
    server = await startServer({ dataDir: work, flags: FOLDER_FLAGS });
  } catch (error) {
    return refusedTrial(error, files, damaged, work);
  }
  const problems: string[] = [];
  let lost = 0;
  try {
    lost = await judgeRun(server, folder, receiver, most, problems);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const code = await server.end('SIGTERM');
  if (code !== 0) problems.push(`it ended with ${code}`);
  if (/\n +at /.test(server.log())) problems.push(`a stack trace: ${server.log().slice(-2_000)}`);
  return { started: true, refusal: '', lost, problems };
}

async function judgeRun(
  server: Server,
  folder: Folder,
  receiver: Receiver,
  most: number,
  problems: string[],
): Promise<number> {
  const call = <T>(path: string): Promise<T> =>
    server.call<T>('GET', path, undefined, folder.operatorToken);
  const ledgerOf = (job: number): Promise<Ledger> => call(`/v1/jobs/${job}/ledger`);
  await until(
    'nothing waits any more',
    async () => {
      const ledgers = await Promise.all(folder.promised.map(({ job }) => ledgerOf(job)));
      return ledgers.every(({ total }) => total.waiting === 0);
    },
    20_000,
  );
  let lost = 0;
  const hasAlarm = (): boolean => server.log().includes('"level":"alarm"');
  for (const promised of folder.promised) {
    const ledger = await ledgerOf(promised.job);
    lost += judgeLines(promised, receiver.lines.get(`/${promised.zone}`) ?? [], ledger, problems, {
      hasAlarm: hasAlarm(),
    });
  }
  if (lost > most) problems.push(`${lost} lines are lost, and the byte can cost ${most}`);
  const metrics = await (await fetch(`${server.controlUrl}/metrics`)).text();
  const counted = Number(/^waybill_corrupt_lines_total (\d+)/m.exec(metrics)?.[1]);
  if (!(counted >= lost)) problems.push(`the metrics count ${counted} corrupt lines of ${lost}`);
  if (lost > 0 && !hasAlarm()) problems.push('the log has no alarm');

  const fresh = await postLines(server, folder.token, 'fast', [FRESH]);
  if (fresh.status !== 200) problems.push(`a fresh line is answered ${fresh.status} ${fresh.text}`);
  else
    await until('a fresh line is delivered', () =>
      (receiver.lines.get('/fast') ?? []).includes(FRESH),
    );
  return lost;
}

/** @returns how many lines were owed and never came */
function judgeLines(
  { zone, lines, delivered }: Promised,
  delivery: readonly string[],
  ledger: Ledger,
  problems: string[],
  { hasAlarm }: { readonly hasAlarm: boolean },
): number {
  const sent = new Set(lines);
  // That lines were lost is told in band; the word on it is no line.
  const received = delivery.filter((line) => !line.startsWith('{"waybill_notice":'));
  const got = new Set(received);
  const wrong = received.filter((line) => !sent.has(line));
  if (wrong.length > 0) problems.push(`${zone}: a line that was never sent: ${wrong[0]}`);
  const owed = lines.slice(delivered);
  const missing = owed.filter((line) => !got.has(line)).length;
  const again = received.length - (owed.length - missing);
  if (again > 0 && !hasAlarm)
    problems.push(`${zone}: ${again} lines came again, and it is not told`);
  const { total, hours } = ledger;
  const corrupt = total.dropped['corrupt'] ?? 0;
  const told = JSON.stringify(total);
  if (missing > corrupt) problems.push(`${zone}: ${missing} lines are missing, told are ${told}`);
  if (total.accepted !== lines.length) problems.push(`${zone}: accepted ${lines.length}: ${told}`);
  const balanced = total.balanced && hours.every((hour) => hour.balanced);
  if (!balanced && !hasAlarm) problems.push(`${zone}: the books do not balance, without an alarm`);
  return missing;
}

/** It must say what is wrong, in words, each time alike, and leave the file as it is. */
async function refusedTrial(
  error: unknown,
  files: ReadonlyMap<string, Buffer>,
  damaged: string,
  work: string,
): Promise<Trial> {
  const refusal = error instanceof Error ? error.message : String(error);
  const problems: string[] = [];
  if (!/ended \(1\)/.test(refusal)) problems.push(`its exit code is not 1: ${refusal}`);
  if (!reasonOf(refusal).includes(work)) problems.push(`it does not say why: ${refusal}`);
  if (/\n +at /.test(refusal)) problems.push(`a stack trace: ${refusal}`);
  const again = await startServer({ dataDir: work, flags: FOLDER_FLAGS }).then(
    async (server) => {
      await server.end('SIGKILL');
      return 'the second start goes through';
    },
    (second: unknown) => (second instanceof Error ? reasonOf(second.message) : String(second)),
  );
  if (again !== reasonOf(refusal)) problems.push(`${reasonOf(refusal)}, then: ${again}`);
  const is = await readFile(join(work, damaged)).catch(() => undefined);
  const was = files.get(damaged);
  if (was ? !is?.equals(was) : is) problems.push('the damaged file was changed or made anew');
  return { started: false, refusal: reasonOf(refusal), lost: 0, problems };
}

const reasonOf = (log: string): string => /^waybill: (.*)$/m.exec(log)?.[1] ?? log;
