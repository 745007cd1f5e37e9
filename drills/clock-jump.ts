/** The wall clock jumps, forwards, backwards and while the server is off. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { closeScene } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { Scene, THREE } from './kit/scene.ts';
import { plural } from './kit/text.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const JUMPS = [
  { ms: 90_000, words: '90 s ahead' },
  { ms: 2 * DAY_MS, words: '2 days ahead' },
  { ms: -3 * DAY_MS, words: '3 days behind' },
  { ms: 30 * DAY_MS, words: '30 days ahead: longer than waiting lines are kept' },
] as const;

export const clockJump: Drill = {
  name: 'clock-jump',
  title: "the server's clock jumps",
  claim:
    'A wall clock that jumps, by seconds or by weeks, ages nothing: waiting lines are not dropped as too old, nothing is delivered twice, delivery goes on.',
  steps: [
    "a server whose wall clock the drill can shift; the machine's own clock is not touched",
    'the destination of one customer is away, so that its lines wait',
    'the clock jumps ahead, back, and 30 days ahead, past the retention of waiting lines',
    'once more 60 days ahead while the server is off',
    'the destination comes back: every line that waited is delivered',
  ],
  atMostS: { full: 240, short: 150 },
  async run(stage) {
    const clock = join(stage.folder, 'clock-offset-ms');
    const shift = (ms: number) => writeFileSync(clock, String(ms));
    shift(0);
    const scene = await Scene.open(stage, {
      customers: THREE,
      server: {
        nodeFlags: ['--import', join(import.meta.dirname, 'preload/clock.mjs')],
        environment: { DRILL_CLOCK_FILE: clock },
      },
    });
    const destination = scene.receiver('alder');
    scene.start();
    await stage.go({ full: 5, short: 2 });
    await destination.close();
    stage.broke('away', "nobody answers at alder's destination: its lines wait");

    stage.phases.begin('jumps');
    for (const { ms, words } of JUMPS) {
      shift(ms);
      stage.broke('clock', words);
      await stage.go({ full: 6, short: 2 });
    }
    const believed = await lastComplete(scene);
    const aheadDays = (believed - Date.now()) / DAY_MS;
    stage.expect(
      'the server believes its clock: a batch was delivered 30 days ahead',
      Math.abs(aheadDays - 30) < 1,
      `${aheadDays.toFixed(1)} days ahead`,
    );
    await scene.kill();
    shift(60 * DAY_MS);
    stage.broke('off', 'killed, and 60 days ahead when it starts again');
    await scene.restart();
    await stage.go({ full: 6, short: 2 });
    shift(0);
    stage.mended('clock', 'right again, which is 60 days back');
    await stage.go({ full: 6, short: 2 });

    const waiting = stage.counter.tally('alder').missing;
    stage.expect(
      "alder's lines have waited all the while",
      waiting > 1_000,
      plural(waiting, 'line'),
    );
    const { dropped } = await scene.control.books(scene.customer('alder').job);
    stage.expect(
      'none of them was dropped',
      Object.keys(dropped).length === 0,
      JSON.stringify(dropped),
    );
    stage.phases.begin('back');
    await destination.open();
    stage.mended('back', "alder's destination takes batches again");
    await stage.go({ full: 5, short: 1 });
    await closeScene(scene);
  },
};

/** When the server says that it last delivered a batch of a customer whose destination is well. */
async function lastComplete({ control, customer }: Scene): Promise<number> {
  const { status } = await control.must<{ readonly status: { readonly lastComplete: string } }>(
    'GET',
    `/v1/jobs/${customer('brisk').job}`,
  );
  return Date.parse(status.lastComplete);
}
