/** Where things stand, asked again and again, and drawn as a table. */
import { setTimeout as sleep } from 'node:timers/promises';

import { titleOf } from './cast.ts';
import type { JobView } from './control.ts';
import { number } from './screen.ts';
import type { Screen } from './screen.ts';
import type { Stage } from './stage.ts';
import type { Traffic } from './traffic.ts';

const EVERY_MS = 250;
/** Columns of the two curves. */
const CURVE = 44;
const STEPS = ' ▁▂▃▄▅▆▇█';

interface Row {
  readonly title: string;
  readonly place: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly excluded: number;
  readonly waiting: number;
  readonly lagS: number;
}

export class Gauge {
  readonly #stage: Stage;
  readonly #traffic: Traffic;
  readonly #screen: Screen;
  #jobs: readonly JobView[] = [];
  #down = false;
  #watching = true;
  #task: Promise<void> | undefined;
  readonly #in = new Curve();
  readonly #out = new Curve();

  constructor(stage: Stage, traffic: Traffic, screen: Screen) {
    this.#stage = stage;
    this.#traffic = traffic;
    this.#screen = screen;
  }

  start(): void {
    this.#task = this.#watch();
  }

  /** Draws a last time and leaves it standing. */
  async stop(): Promise<void> {
    this.#watching = false;
    await this.#task;
    await this.look();
    this.#screen.settle();
  }

  /** The server was killed: what is shown is what was known last. */
  serverDown(down: boolean): void {
    this.#down = down;
  }

  /** Asks the server. False when it does not answer, or does not know yet how far each job is: a shard may still be starting. */
  async look(): Promise<boolean> {
    try {
      this.#jobs = await this.#stage.control.jobs();
    } catch {
      this.#draw();
      return false;
    }
    this.#draw();
    return this.#jobs.every(({ status }) => status !== null);
  }

  /** Lines that the server holds or has passed on, each once however many jobs read it. */
  accepted(): number {
    const heads = new Map(this.#jobs.map(({ stream, status }) => [stream, status?.head ?? 0]));
    return [...heads.values()].reduce((sum, head) => sum + head, 0);
  }

  waiting(): number {
    return this.#jobs.reduce((sum, { status }) => sum + (status?.waitingLines ?? 0), 0);
  }

  /** What a job that does not get through says about it. */
  complaint(): string | undefined {
    return (
      this.#jobs.find(({ status }) => status?.waitingLines && status.errorMessage)?.status
        ?.errorMessage ?? undefined
    );
  }

  async #watch(): Promise<void> {
    while (this.#watching) {
      await this.look();
      this.#in.take(this.#traffic.promisedLines);
      this.#out.take(this.#rows().reduce((sum, row) => sum + row.delivered, 0));
      await sleep(EVERY_MS);
    }
  }

  #rows(): Row[] {
    return this.#stage.jobs.map((job) => {
      const status = this.#jobs.find(({ id }) => id === job.id)?.status;
      const oldest = status?.oldestWaiting;
      return {
        title: titleOf(job),
        place: job.place,
        accepted: status?.head ?? 0,
        delivered: status?.delivered ?? 0,
        excluded: Object.values(status?.excluded ?? {}).reduce((sum, lines) => sum + lines, 0),
        waiting: status?.waitingLines ?? 0,
        lagS: oldest ? Math.max(0, (Date.now() - Date.parse(oldest)) / 1_000) : 0,
      };
    });
  }

  #draw(): void {
    const rows = this.#rows();
    const screen = this.#screen;
    const head = screen.paint(
      'dim',
      line('JOB', 'DESTINATION', ['ACCEPTED', 'DELIVERED', 'EXCLUDED', 'WAITING', 'LAG']),
    );
    const body = rows.map((row) => {
      const cells = [row.accepted, row.delivered, row.excluded, row.waiting].map(number);
      const text = line(row.title, row.place, [
        ...cells,
        row.waiting > 0 ? `${row.lagS.toFixed(1)} s` : '-',
      ]);
      return this.#down ? screen.paint('dim', text) : text;
    });
    const curves = [
      `  ${'accepted'.padEnd(10)} ${screen.paint('cyan', this.#in.drawn())} ${number(this.#in.rate).padStart(6)} lines/s`,
      `  ${'delivered'.padEnd(10)} ${screen.paint('green', this.#out.drawn())} ${number(this.#out.rate).padStart(6)} lines/s`,
    ];
    const note = this.#down
      ? screen.paint('red', '  the server is dead; the table shows what it said last')
      : '';
    const of = (key: 'delivered' | 'excluded' | 'waiting') =>
      number(rows.reduce((sum, row) => sum + row[key], 0));
    const lag = Math.max(0, ...rows.map((row) => row.lagS));
    screen.show(
      ['', head, ...body, '', ...curves, note],
      `accepted ${number(this.#traffic.promisedLines)}  waiting ${of('waiting')}  ` +
        `delivered ${of('delivered')}  excluded ${of('excluded')}  lag ${lag.toFixed(1)} s` +
        (this.#down ? '  (server down)' : ''),
    );
  }
}

function line(title: string, place: string, cells: readonly string[]): string {
  return `  ${title.padEnd(25)}${place.padEnd(14)}${cells.map((cell) => cell.padStart(11)).join('')}`;
}

/** A rate over time, from a counter that is looked at now and then. */
class Curve {
  readonly #rates: number[] = [];
  #last: { readonly count: number; readonly atMs: number } | undefined;
  /** The mean of the last few looks: deliveries come in batches. */
  rate = 0;

  take(count: number): void {
    const now = { count, atMs: performance.now() };
    if (this.#last) {
      const more = Math.max(0, count - this.#last.count);
      this.#rates.push((more * 1_000) / (now.atMs - this.#last.atMs));
    }
    this.#last = now;
    this.rate = mean(this.#rates.slice(-6));
  }

  drawn(): string {
    const points = Array.from({ length: Math.floor(this.#rates.length / 2) }, (_, at) =>
      mean(this.#rates.slice(Math.max(0, at * 2 - 3), at * 2 + 2)),
    ).slice(-CURVE);
    // What is caught up after a pause would make all else look flat: such points touch the top.
    const most = Math.max(1, 2 * mean(points.filter((rate) => rate > 0)));
    const step = (rate: number) => {
      const height = Math.min(STEPS.length - 1, Math.round((rate / most) * (STEPS.length - 1)));
      return STEPS[rate === 0 ? 0 : Math.max(1, height)];
    };
    return points.map(step).join('').padEnd(CURVE);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
