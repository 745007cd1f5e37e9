import { dirname } from 'node:path';
import { test } from 'node:test';
import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { testDialler } from '../../../test/servers/dialler.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import { destinationConformance } from '../conformance.ts';
import type { Expected, Situation } from '../conformance.ts';
import { fileDestination } from './index.ts';

const noPeer: Expected = { notHere: 'there is no receiver at the other end' };

const FAULTS: Partial<Record<Situation, { operation: 'open' | 'write' | 'sync'; code: string }>> = {
  'refuses the credentials': { operation: 'open', code: 'EACCES' },
  'is in trouble': { operation: 'sync', code: 'EIO' },
  'has no space': { operation: 'write', code: 'ENOSPC' },
};

const claims = destinationConformance({
  name: 'file',
  repeats: 'replaces',
  neverSaid: [],
  expected: {
    accepts: { kind: 'accepted', reason: /\/logs\/a\/20260102\// },
    'is slow': noPeer,
    'refuses the credentials': { kind: 'retry', reason: /may not write/ },
    'finds the batch too large': noPeer,
    'finds the content bad': noPeer,
    'asks to wait': noPeer,
    'is in trouble': { kind: 'retry', reason: /disk reports an error/ },
    redirects: noPeer,
    'cuts before the body': noPeer,
    'cuts in the body': noPeer,
    'takes the batch and its answer is lost': noPeer,
    'answers nonsense': noPeer,
    'answers endlessly': noPeer,
    'answers by half': noPeer,
    'says nothing': noPeer,
    'takes nothing': noPeer,
    'has a certificate that expired': noPeer,
    'has a certificate of nobody known': noPeer,
    'has a name that does not exist': noPeer,
    'stands at an inner address': {
      notHere: 'a path out of the opened folders has tests of its own',
    },
    'has no space': { kind: 'retry', reason: /disk is full/ },
  },
  async rig(situation) {
    const disk = new SimDisk({ random: seededRandom(7) });
    await disk.files().makeDirectory('/logs');
    const fault = FAULTS[situation];
    if (fault) {
      const { operation, code } = fault;
      disk.plan({ operation, nth: 1, forever: true, effect: { kind: 'fail', code } });
    }
    const dialler = testDialler();
    const tools = testTools({
      dialler,
      files: disk.files(),
      policy: { allowHttp: false, fileRoots: ['/logs'] },
    });
    return {
      sender: await fileDestination.open('file:///logs/a/{DATE}', tools),
      async held() {
        const folder = dirname('/logs/a/20260102/x');
        const names = await disk.files().list(folder);
        return names.map((name) => disk.content(`${folder}/${name}`) ?? Buffer.alloc(0));
      },
      recover: () => disk.heal(),
      close: () => Promise.resolve(dialler.close()),
    };
  },
});
for (const { name, check } of claims) test(name, check);
