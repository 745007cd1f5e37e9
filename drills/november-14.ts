/** 14 November 2024, once more, here. docs/incident-2024-11-14.md walks through it. */
import { closeScene } from './kit/accounts.ts';
import type { Drill } from './kit/drill.ts';
import { actOne } from './november-14/act-one.ts';
import { actThree, actTwo } from './november-14/acts.ts';
import { openCast } from './november-14/cast.ts';
import { withoutBounds } from './november-14/without-bounds.ts';

export const november14: Drill = {
  name: 'november-14',
  title: "the day on which Cloudflare lost 55 % of its customers' logs for 3.5 hours",
  claim:
    "A blank configuration takes effect nowhere; everybody's lines at once, unwanted or wanted, cost the configured customers no line; the control API answers throughout; and when it is over everything is as before without a restart.",
  steps: [
    'three customers with jobs among 1,000 without (short form: 50), producers behind forwarders; a quiet phase',
    'act one: a blank generated configuration by file, by API, by a blanked store, and as a blank wanted set to running and to starting forwarders',
    "act two: everybody's lines, at least twice what the machine takes; nobody wants them",
    'act three: an operator insists that everybody is wanted; their destinations take nothing',
    'the operator takes it back; the quiet phase again',
    'full form: the same kind of flood on two more servers, one as it is and one with its bounds raised, to see that the bounds are what held',
  ],
  parts: ['act-one', 'act-two', 'act-three', 'without-bounds'],
  atMostS: { full: 900, short: 170 },
  async run(stage) {
    const cast = await openCast(stage);
    // Processes that have just started are slower than they will be: what follows is compared with their steady state.
    cast.scene.start('warming up');
    await stage.go({ full: 15, short: 0 });
    stage.phases.begin('quiet');
    await stage.go({ full: 30, short: 2 });
    await stage.part('act-one', () => actOne(cast));
    await stage.part('act-two', () => actTwo(cast));
    await stage.part('act-three', () => actThree(cast));
    await cast.scene.endTraffic();
    for (const forwarder of cast.forwarders) {
      await stage.until(async () => (await forwarder.status()).spool.waitingLines === 0, 60_000);
    }
    await closeScene(cast.scene);
    if (!stage.short) await stage.part('without-bounds', () => withoutBounds(stage));
  },
};
