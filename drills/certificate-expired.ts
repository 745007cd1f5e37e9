/** A destination's certificate runs out, and is renewed some time later. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { closeScene } from './kit/accounts.ts';
import { EXPIRED, GOOD } from './kit/certificates.ts';
import type { Drill } from './kit/drill.ts';
import { Scene } from './kit/scene.ts';
import { plural } from './kit/text.ts';

export const certificateExpired: Drill = {
  name: 'certificate-expired',
  title: "a destination's certificate runs out",
  claim:
    'Nothing is sent over a connection that cannot be trusted, nothing is lost meanwhile, the job says why in plain words, and delivery goes on by itself once the certificate is renewed.',
  steps: [
    'three customers send, one of them to an HTTPS destination',
    'its certificate is replaced by one that ran out in 2020',
    'no batch gets through; the job names the certificate; the others go on',
    'the certificate is renewed; what waited is delivered',
  ],
  atMostS: { full: 240, short: 150 },
  async run(stage) {
    const authorities = join(stage.folder, 'authorities.pem');
    writeFileSync(authorities, GOOD.cert + EXPIRED.cert);
    const scene = await Scene.open(stage, {
      customers: [
        { zone: 'alder', kind: 'http', certificate: GOOD },
        { zone: 'brisk', kind: 'http' },
        { zone: 'cobalt', kind: 'folder' },
      ],
      server: { environment: { NODE_EXTRA_CA_CERTS: authorities } },
    });
    const { job } = scene.customer('alder');
    const destination = scene.receiver('alder');
    scene.start();
    await stage.go({ full: 8, short: 3 });
    stage.expect(
      'batches get through while the certificate is good',
      destination.batches > 0,
      plural(destination.batches, 'batch', 'batches'),
    );

    stage.phases.begin('expired');
    await destination.close();
    await destination.open(EXPIRED);
    const before = destination.batches;
    stage.broke('expired', "alder's destination shows a certificate that ran out in 2020");
    await stage.go({ full: 15, short: 4 });
    stage.expect(
      'not one batch was sent over it',
      destination.batches === before,
      destination.batches - before,
    );
    const { status } = await scene.control.job(job);
    stage.saw(
      'the job says',
      `${plural(status!.waitingLines, 'line')} waiting, ${status!.activity}: ${status!.errorMessage}`,
    );
    stage.expect(
      'the job names the certificate',
      /certificate|expired/i.test(status!.errorMessage ?? ''),
      status!.errorMessage ?? 'nothing',
    );
    stage.expectTime(
      "the others' delay beyond the interval, p99",
      stage.phases.delayP99Ms('expired', ['brisk', 'cobalt']),
      1_000,
    );

    stage.phases.begin('renewed');
    await destination.close();
    await destination.open(GOOD);
    stage.mended('renewed', 'a good certificate again');
    await stage.go({ full: 5, short: 1 });
    await closeScene(scene);
  },
};
