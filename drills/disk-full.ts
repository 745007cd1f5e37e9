/** The disk fills up to its last byte, and is freed again. */
import { closeScene } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { SmallDisk, smallDiskObstacle } from './kit/small-disk.ts';
import { Scene, THREE } from './kit/scene.ts';
import { bytes, counted, plural } from './kit/text.ts';

const DISK_BYTES = 320 * 1024 * 1024;

export const diskFull: Drill = {
  name: 'disk-full',
  title: 'the disk fills up, to the last byte',
  claim:
    'When space ends, producers are refused clearly (429, 503) before anything is lost; what waits is still delivered and settled, the control API answers, and it goes on by itself when there is space again.',
  steps: [
    'a server on a small disk of its own; three customers send, the destination of one is away',
    'the disk is filled past the high watermark: everybody is refused with 503',
    'then to its last byte',
    'the filler is taken away; producers, who repeated what was refused, get their 2xx',
  ],
  atMostS: { full: 240, short: 150 },
  obstacle: () => Promise.resolve(smallDiskObstacle()),
  async run(stage) {
    const data = stage.subfolder('data');
    const disk = await SmallDisk.mount(data, DISK_BYTES);
    stage.onEnd(() => disk.end());
    const scene = await Scene.open(stage, {
      customers: THREE,
      server: { under: disk.under, seenAt: (path) => disk.seen(path) },
    });
    const destination = scene.receiver('alder');
    scene.start();
    stage.did('small disk', `${bytes(DISK_BYTES)}, ${Math.round(disk.used * 100)} % in use`);
    await stage.go({ full: 6, short: 3 });
    await destination.close();
    stage.broke('away', "nobody answers at alder's destination: its lines wait");
    await stage.go({ full: 4, short: 2 });

    stage.phases.begin('full');
    disk.fill(0.95);
    stage.broke('filled', `${Math.round(disk.used * 100)} % of the disk in use`);
    await stage.go({ full: 10, short: 4 });
    const refused = troublesOf(scene);
    stage.saw('producers met', counted(refused) || 'no trouble');
    stage.expect(
      'producers are refused for now, with what is wrong',
      [...refused.keys()].some(
        (what) => what.includes('disk_full') || what.includes('not_durable'),
      ),
      counted(refused),
    );
    await controlAnswers(scene, 'past the high watermark');

    disk.fill(1);
    stage.broke('last byte', 'nothing more fits on the disk');
    await stage.go({ full: 10, short: 3 });
    await controlAnswers(scene, 'with not a byte left');
    stage.expect('the server runs on', scene.server.running, '');
    const before = stage.counter.tally('brisk').missing;
    await destination.open();
    stage.mended('back', "alder's destination takes batches again, while the disk is still full");
    const drained = await stage.until(() => stage.counter.missing('alder') === 0, 15_000);
    stage.saw(
      'alder',
      drained === undefined
        ? 'what waits is not delivered while not a byte is left'
        : 'all that waited was delivered all the same',
    );
    stage.figure("brisk's lines waiting on the full disk", plural(before, 'line'));

    stage.phases.begin('freed');
    disk.clear();
    stage.mended('freed', `${Math.round(disk.used * 100)} % of the disk in use`);
    await stage.go({ full: 6, short: 3 });
    await closeScene(scene, 0, disk.seen(data));
  },
};

async function controlAnswers({ stage, control, customer }: Scene, when: string): Promise<void> {
  const asked = [
    await control.ask('GET', '/healthz'),
    await control.ask('GET', `/v1/jobs/${customer('alder').job}`),
    await control.ask('GET', '/metrics'),
  ];
  stage.expect(
    `health, jobs and metrics are answered ${when}`,
    asked.every(({ status }) => status === 200),
    asked.map(({ status, ms }) => `${status} in ${Math.round(ms)} ms`).join(', '),
  );
}

function troublesOf({ producers }: Scene): Map<string, number> {
  const all = new Map<string, number>();
  for (const { troubles } of producers) {
    for (const [what, times] of troubles) all.set(what, (all.get(what) ?? 0) + times);
  }
  return all;
}
