/** A destination that reads as if through a straw. */
import { closeScene } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { Scene, THREE } from './kit/scene.ts';
import { plural } from './kit/text.ts';

export const slowDestination: Drill = {
  name: 'slow-destination',
  title: 'a destination is slow',
  claim:
    "A destination that takes seconds for each batch delays its own customer's lines and nobody else's, in delivery and in answers to producers.",
  steps: [
    'three customers send; all is quiet',
    'the destination of one of them reads 400 bytes a second, and answers only then',
    'it is quick again; what waited is delivered',
  ],
  atMostS: { full: 240, short: 150 },
  async run(stage) {
    const scene = await Scene.open(stage, { customers: THREE });
    const destination = scene.receiver('alder');
    scene.start();
    await stage.go({ full: 15, short: 3 });

    stage.phases.begin('slow');
    destination.manner = { kind: 'slow', bytesPerSecond: 400 };
    stage.broke('slow', "alder's destination reads 400 bytes a second");
    await stage.go({ full: 30, short: 8 });
    const { status } = await scene.control.job(scene.customer('alder').job);
    stage.saw(
      'the job says',
      `${plural(status!.waitingLines, 'line')} waiting, ${status!.activity}`,
    );
    stage.expect(
      'it was slow enough to make lines wait',
      status!.waitingLines > 2_000,
      plural(status!.waitingLines, 'line'),
    );
    const quiet = stage.phases.named('quiet');
    stage.expectTime(
      "the others' delay beyond the interval, p99",
      stage.phases.delayP99Ms('slow', ['brisk', 'cobalt']),
      Math.max(1_000, 2 * stage.phases.delayP99Ms('quiet', ['brisk', 'cobalt'])),
    );
    stage.expectTime(
      "producers' answers, p99",
      stage.phases.named('slow').answers.quantileMs(0.99),
      Math.max(100, 2 * quiet.answers.quantileMs(0.99)),
    );

    stage.phases.begin('quick again');
    destination.manner = { kind: 'well' };
    stage.mended('quick again', 'it reads as fast as it gets');
    await stage.go({ full: 10, short: 2 });
    await closeScene(scene);
  },
};
