/** What waits for a webhook outlives the process: over real files and a real receiver, under a clock that is told to go on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testDialler } from '../../../test/servers/dialler.ts';
import { manualClock } from '../../lib/clock-manual.ts';
import { systemClock } from '../../lib/clock.ts';
import { silent } from '../../lib/diagnostics.ts';
import { systemRandom } from '../../lib/random.ts';
import { limits } from '../../model/limits.ts';
import { openAlertStore } from '../alert-store.ts';
import type { Notice } from '../contract.ts';
import { ALERT_KINDS } from '../kinds.ts';
import { messageStore, webhookStore } from './store.ts';
import { Webhooks } from './webhooks.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-webhooks-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Answers as it is told to, and remembers what came. */
async function listener() {
  const came: { readonly id: string; readonly body: string }[] = [];
  let waiting: (() => void)[] = [];
  const state = { status: 503 };
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      response.writeHead(state.status).end();
      came.push({
        id: String(request.headers['webhook-id']),
        body: Buffer.concat(pieces).toString(),
      });
      for (const go of waiting.splice(0)) go();
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  after(() => server.close());
  return {
    came,
    state,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async until(count: number): Promise<void> {
      while (came.length < count) await new Promise<void>((go) => (waiting = [...waiting, go]));
    },
  };
}

/** A process's life: what it opens, and what is left of it when it is killed (nothing is closed in order). */
function life(name: string) {
  const clock = manualClock();
  const alerts = openAlertStore(join(folder, name));
  const store = webhookStore(alerts, { seal: (text) => text, open: (text) => text });
  const dialler = testDialler();
  after(() => dialler.close());
  const hooks = new Webhooks({
    store,
    messages: messageStore(alerts),
    clock,
    random: systemRandom,
    diagnostics: silent,
    limits: { ...limits.watch, webhookQueue: 2 },
    exchange: { dialler, attemptMs: 10_000, stallMs: 10_000, responseBytes: 1_024 },
    accountOf: () => undefined,
    server: 'here',
    allowHttp: true,
  });
  return { clock, hooks, gathered: () => clock.advance(limits.watch.webhookGatherMs) };
}

function notice(subject: string): Notice {
  const { severity, title, advice } = ALERT_KINDS.lines_lost;
  const standing = { state: 'firing', sinceMs: 1, resolvedMs: null, times: 1, toldMs: 1 } as const;
  const finding = { kind: 'lines_lost', subject, stream: null, job: null } as const;
  return {
    reason: 'firing',
    alert: { ...finding, ...standing, id: 1, severity, title, advice, text: 'x', facts: { n: 1 } },
  };
}

const subjects = (body: string): readonly string[] =>
  (JSON.parse(body) as { alerts: { subject: string }[] }).alerts.map(({ subject }) => subject);
const turn = () => systemClock.sleep(0);

test('what a webhook has not taken when the process is killed is sent by the next one: in order, whole, under the same ids', async () => {
  const receiver = await listener();
  const first = life('killed.db');
  const added = first.hooks.add({ account: null, form: 'json', url: receiver.url });
  assert.ok(typeof added === 'object');
  first.hooks.tell(notice('one'));
  first.hooks.tell(notice('two'));
  first.gathered();
  await receiver.until(1);
  // A second message waits behind the first, which was refused; a third is still gathering.
  first.hooks.tell(notice('three'));
  first.gathered();
  first.hooks.tell(notice('four'));
  await turn();

  receiver.state.status = 200;
  const second = life('killed.db');
  await receiver.until(4);
  const [refused, ...sent] = receiver.came;
  assert.deepEqual(
    sent.map(({ body }) => subjects(body)),
    [['one', 'two'], ['three'], ['four']],
  );
  assert.equal(sent[0]?.id, refused?.id);
  assert.equal(sent[0]?.body, refused?.body);
  while (second.hooks.sums().queued > 0) await turn();
  assert.deepEqual(second.hooks.sums(), { sent: 3, givenUp: 0, queued: 0 });
  await turn();

  const third = life('killed.db');
  assert.equal(third.hooks.sums().queued, 0, 'what was taken is not sent again');
});

test('what was given up for want of room, or was for a webhook that is gone, does not come back with a restart', async () => {
  const receiver = await listener();
  const first = life('bounded.db');
  const [kept, gone] = [receiver.url, `${receiver.url}gone`].map((url) =>
    first.hooks.add({ account: null, form: 'json', url }),
  );
  assert.ok(typeof kept === 'object' && typeof gone === 'object');
  for (const subject of ['one', 'two', 'three']) {
    first.hooks.tell(notice(subject));
    first.gathered();
  }
  assert.equal(first.hooks.remove(null, (gone as { id: number }).id), true);
  await turn();
  first.hooks.close();
  const second = life('bounded.db');
  // The first is under way; of those behind it the oldest gave way.
  assert.equal(second.hooks.sums().queued, 2);
  assert.equal(second.hooks.list(null).length, 1);
});
