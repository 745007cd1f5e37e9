/** A receiver refuses every batch that holds one of a few certain lines. */
import { closeScene } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { identify } from './kit/lines.ts';
import { Scene, THREE } from './kit/scene.ts';
import { duration, plural } from './kit/text.ts';

const POISONED = new Set([1_000, 1_001, 2_345]);

interface KeptLines {
  readonly lines: readonly { readonly id: number }[];
}

export const poisonedLine: Drill = {
  name: 'poisoned-line',
  title: 'a destination refuses certain lines',
  claim:
    'A line that its destination will not have costs nobody else anything: its neighbours are delivered, it is kept where its owner can fetch it byte for byte, and the books name it.',
  steps: [
    'three customers send',
    "one's destination answers 400 to every batch that holds one of three certain lines",
    'batches are halved until the lines stand alone; they are settled as rejected_by_destination and kept',
    'the kept lines are fetched and compared',
  ],
  atMostS: { full: 300, short: 200 },
  async run(stage) {
    const scene = await Scene.open(stage, { customers: THREE });
    const { job } = scene.customer('alder');
    const destination = scene.receiver('alder');
    destination.manner = {
      kind: 'picky',
      dislikes: (line) => POISONED.has(identify(line)?.number ?? -1),
    };
    stage.broke(
      'picky',
      `alder's destination answers 400 to batches with line ${[...POISONED].join(', ')}`,
    );
    scene.start();
    await stage.go({ full: 20, short: 8 });
    const sent = stage.counter.tally('alder').sent;
    stage.expect('the certain lines were sent', sent > Math.max(...POISONED), plural(sent, 'line'));

    const tookMs = await stage.until(async () => {
      const { dropped } = await scene.control.books(job);
      return (dropped['rejected_by_destination'] ?? 0) >= POISONED.size;
    }, 120_000);
    stage.saw(
      'given up',
      tookMs === undefined
        ? 'not within 2 min'
        : `${plural(POISONED.size, 'line')}, ${duration(tookMs)} later; ${plural(destination.refusals, 'batch', 'batches')} refused on the way`,
    );
    const kept = await keptNumbers(scene);
    stage.expect(
      'the refused lines are kept, byte for byte',
      kept.length === POISONED.size && kept.every((number) => POISONED.has(number)),
      kept.join(', ') || 'none',
    );
    stage.expectTime(
      "the others' delay beyond the interval, p99",
      stage.phases.delayP99Ms('quiet', ['brisk', 'cobalt']),
      1_000,
    );
    await closeScene(scene, POISONED.size);
  },
};

/** Fetches the lines that were kept apart for alder; a byte changed would make a line unknown. */
async function keptNumbers({ control }: Scene): Promise<number[]> {
  const { lines } = await control.must<KeptLines>('GET', '/v1/zones/alder/kept-lines');
  const numbers: number[] = [];
  for (const { id } of lines) {
    const { text } = await control.ask('GET', `/v1/zones/alder/kept-lines/${id}`);
    numbers.push(identify(text.replace(/\n$/, ''))?.number ?? -1);
  }
  return numbers.toSorted((a, b) => a - b);
}
