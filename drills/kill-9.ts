/** The server is killed again and again, in mid-stream and while it recovers. */
import { closeScene } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { NotStarted } from './kit/process.ts';
import { Scene, THREE } from './kit/scene.ts';
import { counted, duration, number, plural } from './kit/text.ts';

export const kill9: Drill = {
  name: 'kill-9',
  title: 'the server is killed, again and again',
  claim:
    'SIGKILL at any moment, also during recovery, costs no line that was answered with 2xx; folders end with each line once, and what is sent again comes under the same id with the same bytes.',
  steps: [
    'three customers send; producers repeat what was not answered, under the same key',
    'the server is killed at random moments and started again on the same folder and ports',
    'some kills strike while it starts',
    'producers stop, everything arrives, the files are recounted',
  ],
  atMostS: { full: 300, short: 150 },
  async run(stage) {
    const scene = await Scene.open(stage, { customers: THREE });
    scene.start();
    await stage.go({ full: 5, short: 2 });

    stage.phases.begin('kills');
    const kills = stage.short ? 3 : 12;
    let early = 0;
    for (let kill = 1; kill <= kills; kill += 1) {
      await stage.sleep(300 + Math.random() * 2_500);
      await scene.kill();
      const owed = stage.counter.missing();
      stage.broke(
        'SIGKILL',
        `${kill} of ${kills}, with ${plural(owed, 'line')} promised and not yet delivered`,
      );
      if (kill % 3 === 0) early += await killWhileStarting(scene);
      const tookMs = await scene.restart();
      stage.mended('restarted', `in ${duration(tookMs)}`);
    }
    await stage.go({ full: 4, short: 1 });

    const producers = scene.producers;
    const retries = producers.reduce((sum, one) => sum + one.retries, 0);
    const recognised = producers.reduce((sum, one) => sum + one.recognised, 0);
    const troubles = new Map<string, number>();
    for (const { troubles: own } of producers) {
      for (const [what, times] of own) troubles.set(what, (troubles.get(what) ?? 0) + times);
    }
    stage.saw(
      'producers met',
      `${counted(troubles)}; ${number(retries)} attempts again, ${number(recognised)} of them known by their key`,
    );
    stage.figure('kills', `${kills}, and ${early} while it was starting`);
    stage.expect(
      'kills struck in mid-stream: producers had to try again',
      retries > 0,
      number(retries),
    );
    await closeScene(scene);
  },
};

/** @returns 1 when the kill struck before the server was ready */
async function killWhileStarting(scene: Scene): Promise<number> {
  const { stage } = scene;
  const starting = scene.restart().then(
    () => 0,
    (error: unknown) => {
      if (error instanceof NotStarted) return 1;
      throw error;
    },
  );
  await stage.sleep(150 + Math.random() * 500);
  await scene.kill();
  const struck = await starting;
  stage.broke(
    'SIGKILL',
    struck ? 'once more, while it was starting' : 'once more, just after its start',
  );
  return struck;
}
