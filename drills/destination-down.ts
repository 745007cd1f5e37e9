/** A destination is away for a while, at first silent and then with errors. */
import { closeScene } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { Scene, THREE } from './kit/scene.ts';
import { duration, plural } from './kit/text.ts';

export const destinationDown: Drill = {
  name: 'destination-down',
  title: 'a destination is away',
  claim:
    "While one customer's destination is away, its lines wait; the others' are delivered as before; when it is back, all of its lines follow.",
  steps: [
    'three customers send; all is quiet',
    'the destination of one of them answers nobody, then answers 503',
    'it comes back; what waited is delivered',
  ],
  atMostS: { full: 240, short: 150 },
  async run(stage) {
    const scene = await Scene.open(stage, {
      customers: THREE,
    });
    const { job } = scene.customer('alder');
    const destination = scene.receiver('alder');
    scene.start();
    await stage.go({ full: 10, short: 3 });

    stage.phases.begin('away');
    await destination.close();
    stage.broke('away', "nobody answers at alder's destination");
    await stage.go({ full: 10, short: 3 });
    destination.manner = { kind: 'refuses', status: 503 };
    await destination.open();
    stage.broke('errors', 'it answers again, with 503 to everything');
    await stage.go({ full: 10, short: 3 });
    const { status } = await scene.control.job(job);
    stage.saw(
      'the job says',
      `${plural(status!.waitingLines, 'line')} waiting, ${status!.activity}: ${status!.errorMessage}`,
    );
    stage.expect(
      'the job shows what is wrong',
      (status!.errorMessage ?? '') !== '',
      status!.errorMessage ?? 'nothing',
    );
    stage.expect(
      'only its own lines wait',
      stage.counter.tally('alder').missing > 0,
      plural(stage.counter.tally('alder').missing, "of alder's lines", "of alder's lines"),
    );
    stage.expectTime(
      "the others' delay beyond the interval, p99",
      stage.phases.delayP99Ms('away', ['brisk', 'cobalt']),
      2_000,
    );

    destination.manner = { kind: 'well' };
    stage.phases.begin('back');
    stage.mended('back', 'it takes batches again');
    const tookMs = await stage.until(() => stage.counter.missing('alder') < 2_000, 60_000);
    stage.saw('caught up', tookMs === undefined ? 'not within 60 s' : `after ${duration(tookMs)}`);
    await stage.go({ full: 5, short: 1 });
    await closeScene(scene);
  },
};
