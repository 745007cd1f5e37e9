/** What the product says itself, held against the books of the outside. */
import { sum } from './control.ts';
import { runCommand } from './process.ts';
import { Receiver } from './receiver.ts';
import type { Scene } from './scene.ts';
import { number, plural } from './text.ts';

/**
 * Compares the product's ledger with the counter, customer by customer, and notes what the product tells of missing lines.
 */
export async function compareBooks({ stage, control, customers }: Scene): Promise<void> {
  const { counter } = stage;
  for (const { zone, job, destination } of customers) {
    const settled = await stage.until(async () => (await control.books(job)).waiting === 0, 15_000);
    const books = await control.books(job);
    const { acked, delivered, missing } = counter.tally(zone);
    const dropped = sum(books.dropped);
    stage.told += Math.min(missing, dropped);
    const right =
      settled !== undefined &&
      books.balanced &&
      books.accepted >= acked &&
      books.delivered === delivered &&
      dropped === books.accepted - delivered;
    stage.expect(
      `${zone}: the ledger balances and says what was counted outside`,
      right,
      right
        ? `${number(books.accepted)} accepted, ${number(books.delivered)} delivered${dropped > 0 ? `, dropped: ${JSON.stringify(books.dropped)}` : ''}`
        : `ledger ${JSON.stringify(books)}; counted ${number(acked)} promised, ${number(delivered)} delivered, ${number(missing)} missing`,
    );
    for (const complaint of destination.complaints) {
      stage.expect(`${zone}: batches are whole, and repeats are equal`, false, complaint);
    }
    if (destination instanceof Receiver && destination.repeats > 0) {
      stage.saw(
        'repeats',
        `${plural(destination.repeats, 'batch', 'batches')} came to ${zone} twice, known by id and equal to the byte`,
      );
    }
  }
}

interface CheckReport {
  readonly segments: number;
  readonly blocks: number;
  readonly problems: readonly string[];
}

/** Recounts the raw files of a stopped server by `waybill log check --books`, which shares no code with the server. */
export async function checkFiles(dataDir: string): Promise<{
  readonly good: boolean;
  readonly said: string;
  readonly problems: readonly string[];
}> {
  const { code, out, said } = await runCommand(['log', 'check', '--books', dataDir, '--json']);
  if (out === '') return { good: false, said: said.trim(), problems: [said.trim()] };
  const { segments, blocks, problems } = JSON.parse(out) as CheckReport;
  return {
    good: code === 0 && problems.length === 0,
    said:
      problems[0] ??
      `${plural(segments, 'segment')}, ${plural(blocks, 'block')}, every checksum and sum holds`,
    problems,
  };
}

/** The usual end: producers stop, all arrives, both books are compared, the server stops in order, its files are recounted. */
export async function closeScene(
  scene: Scene,
  mayMiss = 0,
  dataDir = scene.server.dataDir,
): Promise<void> {
  const { stage } = scene;
  await scene.endTraffic();
  await scene.settle(mayMiss);
  await compareBooks(scene);
  const code = await scene.stop();
  stage.expect('the server stops in order', code === 0, `exit code ${code}`);
  const check = await checkFiles(dataDir);
  stage.expect('waybill log check --books finds nothing', check.good, check.said);
}
