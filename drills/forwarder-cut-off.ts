/** A forwarder is cut off from its server, killed meanwhile, and started again while it still reaches nobody. */
import { join } from 'node:path';

import { closeScene } from './kit/accounts.ts';
import { Between } from './kit/between.ts';
import type { Drill } from './kit/drill.ts';
import { Forwarder } from './kit/forwarder.ts';
import { Scene, THREE } from './kit/scene.ts';
import { duration, plural } from './kit/text.ts';

export const forwarderCutOff: Drill = {
  name: 'forwarder-cut-off',
  title: 'a forwarder is cut off from its server',
  claim:
    'A forwarder that reaches nobody goes on taking lines on its own disk with the wanted set that it has, also after it was killed and started again; when the server is back, every line arrives, once.',
  steps: [
    'three customers send to a forwarder; all is quiet',
    'the server is killed, and the way to its control address is cut',
    'the forwarder is killed as well, and started again: it knows nobody, and goes on with what it kept',
    'the server comes back; everything is delivered',
  ],
  atMostS: { full: 240, short: 150 },
  async run(stage) {
    const scene = await Scene.open(stage, { customers: THREE });
    const between = await Between.open(stage, () => scene.server.controlUrl);
    const forwarder = await Forwarder.start(stage, {
      name: 'forwarder',
      dataDir: join(stage.folder, 'forwarder'),
      logPath: join(stage.folder, 'forwarder.log'),
      token: await scene.forwarderToken(),
      receiverUrl: scene.server.ingestUrl,
      wantedUrl: between.url,
    });
    scene.sendThrough(() => forwarder);
    scene.start();
    await stage.go({ full: 10, short: 3 });

    stage.phases.begin('cut off');
    between.change({ cut: true });
    await scene.kill();
    stage.broke('cut off', 'the server is killed, the way to its control address is cut');
    await stage.go({ full: 10, short: 3 });
    const before = await forwarder.status();
    stage.saw(
      'the forwarder',
      `${plural(before.spool.waitingLines, 'line')} waiting; wanted set: ${before.wanted.state}`,
    );
    stage.expect(
      'it says that it is cut off',
      !before.ok,
      before.problems.join('; ') || 'no problem',
    );
    await forwarder.kill();
    stage.broke('SIGKILL', 'the forwarder too');
    await forwarder.start();
    const after = await forwarder.status();
    stage.saw(
      'restarted',
      `wanted set: ${after.wanted.state}, ${plural(after.wanted.streams ?? 0, 'stream')}`,
    );
    stage.expect(
      'started again, it goes on with the wanted set that it kept',
      after.wanted.state === 'last_good' && (after.wanted.streams ?? 0) === THREE.length,
      `${after.wanted.state}, ${plural(after.wanted.streams ?? 0, 'stream')}`,
    );
    await stage.go({ full: 10, short: 3 });
    const owed = stage.counter.missing();
    stage.expect(
      'it goes on taking lines',
      owed > 1_000,
      `${plural(owed, 'line')} promised and waiting`,
    );

    stage.phases.begin('back');
    const tookMs = await scene.restart();
    between.change({});
    stage.mended('back', `the server, in ${duration(tookMs)}, and the way to it`);
    await stage.go({ full: 8, short: 2 });
    await closeScene(scene);
    stage.expect('the forwarder stops in order', (await forwarder.stop()) === 0);
  },
};
