/** The tables of `docs/guard.md`, cell by cell: every row under every circumstance at every size. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { silent } from '../../lib/diagnostics.ts';
import { systemRandom } from '../../lib/random.ts';
import { notWhole } from '../../model/config-document.ts';
import { limits } from '../../model/limits.ts';
import { noRecords } from '../store/contents.ts';
import type { AccountRecord, JobRecord } from '../store/records.ts';
import { State } from '../store/state.ts';
import type { ChangeEntry, Edit } from '../store/store.ts';
import { Guard } from './guard.ts';
import { DOCUMENT, OPERATOR } from './voice.ts';
import type { Voice } from './voice.ts';

const page = readFileSync(new URL('../../../docs/guard.md', import.meta.url), 'utf8');
/** Fewer streams than a real server holds, so that going past them is quick. */
const bounds = { ...limits.guard, capacityStreams: 20_000, trafficTurnMs: 3_600_000 };
const SIZES: readonly (readonly [jobs: number, accounts: number])[] = [
  [1, 1],
  [3, 3],
  [100, 20],
  [10_000, 1_000],
];

/** Stands still: all of a script's changes lie within one hour. */
const clock: Clock = { ...systemClock, monotonicMs: () => 10_000_000, wallMs: () => 1e12 };

function accountOf(index: number): AccountRecord {
  const id = `a${index}`;
  return { id, name: id, ambientCredentials: false, createdMs: 0, limits: {}, cmb: null };
}

function jobOf(index: number, jobs: number, accounts: number): JobRecord {
  const account = Math.floor((index * accounts) / jobs);
  return {
    id: index + 1,
    name: `j${index}`,
    enabled: true,
    scope: { kind: 'account', id: `a${account}` },
    dataset: `d${index}`,
    destination: 'https://receiver.example/',
    secret: { id: `job-${index + 1}`, version: 1 },
    fingerprint: '',
    filter: '',
    outputOptions: null,
    logpullOptions: '',
    frequency: 'high',
    maxUploadBytes: 0,
    maxUploadRecords: 0,
    maxUploadIntervalSeconds: 0,
    contentVersion: 1,
    olderContents: [],
    version: 1,
    created: { atMs: 0, mark: '' },
  };
}

const gone = (job: JobRecord): Edit => ({
  kind: 'job',
  id: String(job.id),
  before: job,
  after: null,
});
const come = (job: JobRecord): Edit => ({
  kind: 'job',
  id: String(job.id),
  before: null,
  after: job,
});

type Circumstance = 'first start' | 'quiet hour' | 'restart' | 'ledger absent';

class World {
  readonly jobs: readonly JobRecord[];
  readonly #circumstance: Circumstance;
  #guard: Guard;
  readonly #log: ChangeEntry[] = [];
  readonly #standing: Map<number, JobRecord>;

  constructor([jobs, accounts]: readonly [number, number], circumstance: Circumstance) {
    this.#circumstance = circumstance;
    this.jobs = Array.from({ length: jobs }, (_, index) => jobOf(index, jobs, accounts));
    const first = circumstance === 'first start' ? [] : this.jobs;
    this.#standing = new Map(first.map((job) => [job.id, job]));
    this.#guard = this.#start();
  }

  #start(): Guard {
    const records = { ...noRecords(), job: [...this.#standing.values()] };
    records.account = Array.from({ length: 1_001 }, (_, index) => accountOf(index));
    const state = new State({ version: 1, nextJob: 1, records, secrets: [] });
    const load = { lines: 1_000, bytes: 900_000 };
    const busyHours = (streams: readonly string[]) =>
      Promise.resolve(new Map(streams.map((stream) => [stream, load])));
    const known = this.#circumstance === 'quiet hour' ? { busyHours } : {};
    return new Guard(state, { clock, random: systemRandom, diagnostics: silent, bounds, ...known });
  }

  async ask(voice: Voice, edits: readonly Edit[]): Promise<boolean> {
    await this.#guard.restore({
      changes: () => Promise.resolve(this.#log.toReversed().slice(0, 400)),
    });
    const judgement = await this.#guard.judge({ voice, base: 1, edits });
    if (judgement.kind !== 'passes') return false;
    this.#guard.committed(voice, edits);
    for (const edit of edits)
      if (edit.kind === 'job' && !edit.after) this.#standing.delete(Number(edit.id));
    return true;
  }

  /** Deletes one after the other; in the middle of it the server is started again where that is the circumstance. */
  async singly(voice: Voice, jobs: readonly JobRecord[]): Promise<number | undefined> {
    const restartAt = Math.min(5, Math.floor(jobs.length / 2));
    for (const [index, job] of jobs.entries()) {
      const edit = gone(job);
      if (!(await this.ask(voice, [edit]))) return index + 1;
      if (this.#circumstance !== 'restart' || index + 1 !== restartAt) {
        if (index < restartAt) this.#remember(voice, edit);
        continue;
      }
      this.#remember(voice, edit);
      this.#guard.close();
      this.#guard = this.#start();
    }
    return undefined;
  }

  #remember(voice: Voice, edit: Edit): void {
    const scope = edit.kind === 'job' && edit.before ? `accounts/${edit.before.scope.id}` : '';
    this.#log.push({
      version: this.#log.length + 2,
      atMs: 1e12,
      who: 'x',
      address: null,
      what: 'job.delete',
      voice: voice.kind,
      reason: null,
      edits: [{ ...edit, concerns: [scope] }],
    });
  }

  close(): void {
    this.#guard.close();
  }
}

const said = (passes: boolean) => (passes ? 'passes' : 'refused');
const customer: Voice = { kind: 'customer', account: 'a0' };

/** A document that holds other than it declares. */
function believed(accounts: number, declared: number): boolean {
  const document = { waybill: 1 as const, complete: true, datasets: [] };
  const list = Array.from({ length: accounts }, (_, index) => {
    const { id } = accountOf(index);
    return { id, ambientCredentials: false, limits: {}, complete: false, jobs: [], zones: [] };
  });
  return (
    notWhole({ ...document, accounts: list, expect: { accounts: declared, jobs: 0 } }) === undefined
  );
}

async function tried(
  what: string,
  size: readonly [number, number],
  circumstance: Circumstance,
): Promise<string> {
  const world = new World(size, circumstance);
  const { jobs } = world;
  const isFirst = circumstance === 'first start';
  const half = Math.floor(jobs.length / 2);
  // On an empty server a document brings what it holds; on a full one it takes away what it lacks.
  const document = (kept: number) =>
    world.ask(DOCUMENT, isFirst ? jobs.slice(0, kept).map(come) : jobs.slice(kept).map(gone));
  try {
    switch (what) {
      case 'a customer deletes one':
        return said(await world.ask(customer, [gone(jobs[0]!)]));
      case 'a customer deletes all of his own (`terraform destroy`)': {
        const own = jobs.filter(({ scope }) => scope.id === 'a0');
        return said((await world.singly(customer, own)) === undefined);
      }
      case 'an operator deletes one':
        return said(await world.ask(OPERATOR, [gone(jobs[0]!)]));
      case 'a script deletes them singly': {
        const at = await world.singly(OPERATOR, jobs);
        return at === undefined ? 'passes' : `refused at ${at.toLocaleString('en-US')}`;
      }
      case 'apply with one less':
        return said(await document(jobs.length - 1));
      case 'apply with half of them, well-formed':
        return said(await document(half));
      case 'apply empty':
        return said(believed(0, 0));
      case 'apply half a file':
        return said(believed(Math.floor(size[1] / 2), size[1]));
      case "roll-back of one job's creation":
        return said(await world.ask(DOCUMENT, [gone(jobs.at(-1)!)]));
      case 'roll-back to before half of them':
        return said(await world.ask(DOCUMENT, jobs.slice(half).map(gone)));
      case 'growth past capacity': {
        const more = bounds.capacityStreams + 1 - (isFirst ? 0 : jobs.length);
        const fresh = Array.from({ length: more }, (_, index) =>
          come({ ...jobs[0]!, id: 100_000 + index, dataset: `new${index}` }),
        );
        return said(await world.ask(DOCUMENT, fresh));
      }
      default:
        throw new Error(`docs/guard.md has a row that nobody tries: ${what}`);
    }
  } finally {
    world.close();
  }
}

/** The rows of the tables with four sizes: what, and a cell for each. */
function tables(): readonly (readonly (readonly string[])[])[] {
  return page
    .split('| what | 1 | 3 | 100 | 10,000 |')
    .slice(1)
    .map((text) =>
      text
        .split('\n\n')[0]!
        .split('\n')
        .slice(2)
        .map((row) =>
          row
            .split('|')
            .slice(1, -1)
            .map((cell) => cell.trim()),
        ),
    );
}

const [running = [], first = []] = tables();
const CASES: readonly (readonly [Circumstance, typeof running])[] = [
  ['first start', first],
  ['quiet hour', running],
  ['restart', running],
  ['ledger absent', running],
];

test('I4: the tables hold every row', () => {
  assert.equal(running.length, 11);
  assert.equal(first.length, 5);
});

for (const [circumstance, rows] of CASES) {
  for (const [what = '', ...cells] of rows) {
    test(`I4: ${circumstance}: ${what}`, async () => {
      for (const [index, size] of SIZES.entries())
        assert.equal(await tried(what, size, circumstance), cells[index], `${size[0]} jobs`);
    });
  }
}
