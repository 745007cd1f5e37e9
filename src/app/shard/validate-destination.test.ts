/** `validate/destination` over every kind, in each common trouble: plain words, and nothing that helps whoever pries. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EXPIRED, VALID } from '../../../test/servers/certificates.ts';
import { testDialler } from '../../../test/servers/dialler.ts';
import { markedConfs, secretIn } from '../../../test/servers/marked-confs.ts';
import { startScriptedReceiver } from '../../../test/servers/scripted-http.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import { idleDataPlane, startControl, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';
import type { DestinationTrial } from '../../control/index.ts';
import { openDestination } from '../../destinations/index.ts';
import { systemClock } from '../../lib/clock.ts';
import { manualClock } from '../../lib/clock-manual.ts';
import { silent } from '../../lib/diagnostics.ts';
import { tryDestination } from './trial.ts';

const BODY = 'inner-words-of-10.1.2.3';
const dialler = testDialler({ ca: [VALID.cert, EXPIRED.cert] });
/** Trials are bounded by the minute. */
const clock = manualClock(Date.UTC(2026, 10, 23, 7));
const dataPlane = {
  ...idleDataPlane(),
  tryDestination: (trial: DestinationTrial) =>
    tryDestination(trial, {
      openSender: ({ destinationConf }) =>
        openDestination(destinationConf, testTools({ dialler, stallMs: 2_000 })),
      clock: systemClock,
      diagnostics: silent,
      trialMs: 20_000,
    }),
};

let server: TestControl;
before(async () => {
  server = await startControl({ clock, dataPlane });
  await withScopes(server);
});
after(async () => {
  dialler.close();
  await server.close();
});

async function saidOf(conf: string): Promise<string> {
  clock.advance(60_000);
  const path = '/client/v4/zones/z1/logpush/validate/destination';
  const answer = await server.call('POST', path, { body: { destination_conf: conf } });
  assert.equal(answer.status, 200, answer.text);
  const { valid, message } = answer.body.result;
  assert.equal(valid, false);
  assert.match(message, /^error validating destination: /, message);
  assert.equal(secretIn(answer.text), undefined, answer.text);
  assert.doesNotMatch(answer.text, /127\.0\.0\.1|10\.1\.2\.3|inner-words/);
  return message;
}

/** These speak no HTTP, or have a receiver of their own; `https` is the kind that `http` is. */
const NOT_HTTP = ['kafka', 'syslog', 'file', 'r2', 'https'];

/** Kinds whose receivers can be led to a test's own, those that know no TLS or no status apart. */
function kinds(at: string, secure: boolean, without: readonly string[]): [string, string][] {
  return Object.entries(markedConfs(at, secure)).filter(([scheme]) => !without.includes(scheme));
}

test('a name that does not exist is told as that, by every kind', async () => {
  for (const [scheme, conf] of kinds('nowhere.example:8443', true, ['file', 'http'])) {
    assert.match(await saidOf(conf), /DNS: the host name was not found/, scheme);
  }
});

test('a certificate that expired is told as that, by every kind', async (t) => {
  const receiver = await startScriptedReceiver(EXPIRED);
  t.after(() => receiver.close());
  for (const [scheme, conf] of kinds(`receiver.test:${receiver.port}`, true, [
    'file',
    'http',
    'r2',
  ])) {
    assert.match(await saidOf(conf), /TLS: .*expired/, scheme);
  }
  assert.equal(receiver.received.length, 0);
});

const WHO = /credentials|key|token|signature|password|not that of a source|access is denied/;
const TROUBLE = /in trouble|slow down|busy/;
const STATUSES: readonly (readonly [status: number, words: RegExp])[] = [
  [401, WHO],
  [403, WHO],
  [404, /there is no|does not exist|no such|unknown|not that of a source/],
  [500, TROUBLE],
  [503, TROUBLE],
];

/** Who cannot tell what stands there: a token is asked for first, or the answer has to be a Waybill's. */
const OWN_WORDS: Readonly<Record<string, RegExp>> = {
  gs: /token service/,
  ibmcl: /token service/,
  waybill: /not an answer of a Waybill/,
};

for (const [status, words] of STATUSES) {
  test(`status ${status} is told in plain words, by every kind that speaks HTTP`, async (t) => {
    const receiver = await startScriptedReceiver();
    t.after(() => receiver.close());
    receiver.script({ do: 'answer', status, body: `{"message":"${BODY}"}` });
    for (const [scheme, conf] of kinds(`receiver.test:${receiver.port}`, false, NOT_HTTP)) {
      const message = await saidOf(conf);
      assert.match(message, OWN_WORDS[scheme] ?? words, `${scheme}: ${message}`);
      assert.match(message, new RegExp(`\\b${status}\\b`), `${scheme}: ${message}`);
    }
  });
}

test('a folder that is not there to be written is told as that', async () => {
  const said = await saidOf('file:///proc/nowhere/logs');
  assert.match(said, /folder|allowed/);
});
