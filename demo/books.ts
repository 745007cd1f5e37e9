/** What Waybill itself says: its ledger over the API, and a recount of its raw files by another process. */
import { ZONES } from './cast.ts';
import type { Comparison } from './holdings.ts';
import { runJson } from './server.ts';
import type { Stage } from './stage.ts';

/** Outcome of one check: what to say, and whether it is as it must be. */
export interface Finding {
  readonly what: string;
  readonly good: boolean;
  readonly detail: string;
}

interface CheckReport {
  readonly segments: number;
  readonly blocks: number;
  readonly problems: readonly string[];
  readonly books: readonly Book[];
}
interface Book {
  readonly job: number;
  readonly accepted: number;
  readonly delivered: number;
  readonly excluded: number;
  readonly dropped: number;
  readonly waiting: number;
  readonly balanced: boolean;
}
type Reasons = Readonly<Record<string, number>>;
interface LedgerReport {
  readonly jobs: readonly {
    readonly job: number;
    readonly total: {
      readonly accepted: number;
      readonly delivered: number;
      readonly excluded: Reasons;
      readonly dropped: Reasons;
      readonly waiting: number;
      readonly balanced: boolean;
    };
  }[];
}

export async function checkBooks(
  stage: Stage,
  compared: readonly Comparison[],
): Promise<readonly Finding[]> {
  const [ledger, recount] = await Promise.all([ledgerOf(stage), recountOf(stage)]);
  const { report } = recount;
  const unlike = (books: readonly Book[]) =>
    compared.flatMap((comparison) => differences(comparison, books)).slice(0, 3);
  const recounted = [...report.problems.slice(0, 3), ...unlike(report.books)];
  const told = unlike(ledger);
  return [
    {
      what: 'waybill log check --books',
      good: recounted.length === 0 && recount.code === 0,
      detail:
        recounted.join('; ') || `every checksum holds, all ${report.books.length} jobs balance`,
    },
    {
      what: 'waybill ledger',
      good: told.length === 0,
      detail: told.join('; ') || 'the same numbers: accepted = delivered + excluded, none dropped',
    },
  ];
}

async function ledgerOf({ server }: Stage): Promise<Book[]> {
  const access = ['--url', server.addresses.controlUrl, '--token-file', server.tokenPath];
  const books: Book[] = [];
  for (const { account } of ZONES) {
    const { json } = await runJson<LedgerReport>(['ledger', '--account', account, ...access]);
    for (const { job, total } of json.jobs) {
      books.push({ ...total, job, excluded: sum(total.excluded), dropped: sum(total.dropped) });
    }
  }
  return books;
}

async function recountOf({ folders }: Stage) {
  const { code, json } = await runJson<CheckReport>(['log', 'check', '--books', folders.data]);
  return { code, report: json };
}

/** Where a job's books are not what the demo counted by itself. */
function differences({ job, accepted, expected }: Comparison, books: readonly Book[]): string[] {
  const book = books.find((one) => one.job === job.id);
  if (!book) return [`job ${job.id} is not in the books`];
  const wanted = {
    accepted,
    delivered: expected,
    excluded: accepted - expected,
    dropped: 0,
    waiting: 0,
  };
  const wrong = (Object.keys(wanted) as (keyof typeof wanted)[])
    .filter((term) => book[term] !== wanted[term])
    .map((term) => `job ${job.id} has ${book[term]} ${term} instead of ${wanted[term]}`);
  return book.balanced ? wrong : [`the books of job ${job.id} do not balance`, ...wrong];
}

function sum(counts: Reasons): number {
  return Object.values(counts).reduce((all, lines) => all + lines, 0);
}
