/** I4: every way of losing the control store, under a running server and between two runs. */
import { after, test } from 'node:test';
import { LOSSES, surviveLoss } from '../support/lost-store.ts';
import { temporaryFolder } from '../support/server.ts';

const folder = await temporaryFolder('lost-stores');
after(() => folder.remove());

let runs = 0;
for (const loss of LOSSES) {
  for (const when of ['running', 'stopped'] as const) {
    test(`I4: a store that is ${loss.name} while the server is ${when}`, async () => {
      await surviveLoss(`${folder.path}/${++runs}`, loss, when);
    });
  }
}
