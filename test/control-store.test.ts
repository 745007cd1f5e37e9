/** I4: the control store is lost, and nothing else is. Every way of losing it is in the long suite. */
import { after, test } from 'node:test';
import { LOSSES, surviveLoss } from './support/lost-store.ts';
import { temporaryFolder } from './support/server.ts';

const folder = await temporaryFolder('lost-store');
after(() => folder.remove());

test('I4: with the control store deleted under a running server, lines, answers and restarts go on until it is rebuilt', async () => {
  await surviveLoss(`${folder.path}/data`, LOSSES[0]!, 'running');
});
