/** A control server that says every wrong thing that a wanted set can be, to a running and to a starting forwarder. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { join } from 'node:path';
import { wantedKey, writeWanted } from '../../src/model/wanted-set.ts';
import type { WantedSet } from '../../src/model/wanted-set.ts';
import type { StreamKey } from '../../src/model/scope.ts';
import { sendTo } from '../support/customer.ts';
import { startForwarder } from '../support/forwarder.ts';
import type { ForwarderProcess } from '../support/forwarder.ts';
import { eventually } from '../support/receiver.ts';
import { temporaryFolder } from '../support/server.ts';

const TOKEN = 'wb_in_test';
const KEY = wantedKey(TOKEN);

function setOf(version: number, zones: number, ended: readonly number[] = []): WantedSet {
  const name = (n: number): StreamKey => `zones/z${String(n).padStart(2, '0')}/http_requests`;
  return {
    version,
    streams: Array.from({ length: zones }, (_, n) => ({ stream: name(n), account: 'a1' })),
    ended: ended.map((n) => ({ stream: name(n), version })),
  };
}

/** Says what it is told to say, to every question. Takes lines as a server does. */
async function hostileServer() {
  let says = '';
  let status = 200;
  let asked = 0;
  let taken = 0;
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/v1/wanted')) {
      asked++;
      return void setTimeout(() => response.writeHead(status).end(says), 50);
    }
    request.resume();
    request.on('end', () => {
      taken++;
      response.end(
        JSON.stringify({ durability: 'disk', accepted: 1, unwanted: 0, quarantined: 0 }),
      );
    });
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    say(text: string, code = 200) {
      says = text;
      status = code;
    },
    asked: () => asked,
    taken: () => taken,
    close: () => (server.closeAllConnections(), server.close()),
  };
}

test('a blank, shrunken, cut, unsealed, foreign or older set changes nothing, in a running forwarder and in a starting one (I4)', async () => {
  const folder = await temporaryFolder('forward-wanted');
  const control = await hostileServer();
  const good = writeWanted(setOf(7, 20), KEY);
  control.say(good);
  const options = {
    dataDir: join(folder.path, 'forward'),
    token: TOKEN,
    receivers: [control.url],
    wantedUrl: control.url,
  };
  let forwarder = await startForwarder(options);
  await eventually('the good set is in force', async () => (await forwarder.status()).ok);
  const holds = async (where: ForwarderProcess, what: string): Promise<void> => {
    const { wanted } = await where.status();
    assert.deepEqual([wanted.version, wanted.streams], [7, 20], what);
    assert.equal(wanted.state, 'last_good', what);
    const kept = await sendTo(where, '', 'zones/z19/http_requests', '{"a":1}\n');
    assert.equal(kept.body.accepted, 1, what);
    const others = await sendTo(where, '', 'zones/z20/http_requests', '{"a":1}\n{"a":2}\n');
    assert.deepEqual([others.body.accepted, others.body.unwanted], [0, 2], what);
  };
  const bad: readonly (readonly [what: string, says: string, code?: number])[] = [
    ['blank', writeWanted(setOf(8, 0), KEY)],
    ['shrunken', writeWanted(setOf(8, 12), KEY)],
    ['cut', good.slice(0, good.length / 2)],
    ['empty', ''],
    ['an empty object', '{}'],
    ['an error page', '<html>It works!</html>'],
    ['unsealed', good.replace(/"seal":"[^"]*"/, '"seal":""')],
    ['sealed for another', writeWanted(setOf(8, 20), wantedKey('another'))],
    ['older', writeWanted(setOf(6, 20), KEY)],
    ['a wrong count', good.replace('"count":20', '"count":21')],
    ['from the future', good.replace('waybill-wanted/1', 'waybill-wanted/2')],
    ['a refusal', '{"error":{"code":"token_unknown","message":""}}', 401],
  ];
  for (const [index, [what, says, code]] of bad.entries()) {
    control.say(says, code);
    await eventually(`${what} is refused`, async () => {
      const { problem } = (await forwarder.status()).wanted;
      return problem !== null && control.asked() > 0;
    });
    await holds(forwarder, what);
    // Every third one also meets a forwarder that starts.
    if (index % 3 === 0) {
      await forwarder.end(index % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      forwarder = await startForwarder(options);
      await eventually(
        `${what} is refused at a start`,
        async () =>
          (await forwarder.status()).problems.length > 0 &&
          !(await forwarder.status()).wanted.problem!.includes('not been heard'),
      );
      await holds(forwarder, `${what}, starting`);
      assert.match(forwarder.log(), /"level":"(alarm|warn)","event":"wanted set"/);
    }
    control.say(good);
    await eventually(
      `all is well after ${what}`,
      async () => (await forwarder.status()).wanted.state === 'current',
    );
  }
  control.say(writeWanted(setOf(9, 12, [12, 13, 14, 15, 16, 17, 18, 19]), KEY));
  await eventually(
    'what was ended on purpose is ended',
    async () => (await forwarder.status()).wanted.streams === 12,
  );
  await forwarder.end('SIGTERM');
  control.close();
  await folder.remove();
});

test('a forwarder that never had a set sends neither all nor nothing: it spools (I4)', async () => {
  const folder = await temporaryFolder('forward-no-set');
  const control = await hostileServer();
  control.say(writeWanted(setOf(3, 0), KEY));
  const options = {
    dataDir: join(folder.path, 'forward'),
    token: TOKEN,
    receivers: [control.url],
    wantedUrl: control.url,
  };
  let forwarder = await startForwarder(options);
  for (let n = 0; n < 2; n++) {
    await eventually(
      'the blank set is refused',
      async () => (await forwarder.status()).wanted.refused > 0,
    );
    const kept = await sendTo(forwarder, '', 'zones/z00/http_requests', '{"a":1}\n');
    assert.equal(kept.body.accepted, 1);
    assert.equal((await forwarder.status()).wanted.state, 'none');
    assert.equal(control.taken(), 0);
    if (n === 0) {
      await forwarder.end('SIGKILL');
      forwarder = await startForwarder(options);
    }
  }
  assert.equal((await forwarder.status()).spool.waitingLines, 2);
  await forwarder.end('SIGTERM');
  control.close();
  await folder.remove();
});
