/** Kafka against Apache's own broker: the conformance suite through a relay that misbehaves, and what its own consumer reads. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { destinationConformance, sampleBatch } from '../../src/destinations/conformance.ts';
import type { Expected, Rig, Situation } from '../../src/destinations/conformance.ts';
import { kafkaDestination } from '../../src/destinations/kafka/index.ts';
import { CLIENT, EXPIRED, VALID } from '../servers/certificates.ts';
import { testDialler } from '../servers/dialler.ts';
import { startKafka } from '../servers/kafka.ts';
import type { KafkaBroker } from '../servers/kafka.ts';
import { batchFor, send } from '../servers/real.ts';
import type { Mood } from '../servers/relay.ts';
import { testTools } from '../servers/scripted-rig.ts';

let broker: KafkaBroker | { readonly skipped: string } = { skipped: 'not started' };
before(async () => {
  broker = await startKafka();
  if ('skipped' in broker) return;
  await broker.topic('good', 1);
  // A cluster that has just begun has no producer ids yet and says so.
  const warm = `kafka://receiver.test:${broker.relay.port}/good?tls=false`;
  while ((await send(warm, sampleBatch())).kind !== 'accepted') await sleep(200);
  for (const [situation, settings] of Object.entries(TOPICS))
    await broker.topic(situation.replaceAll(' ', '-'), 1, ...settings);
});
after(async () => {
  if (!('skipped' in broker)) await broker.stop();
});

const claim = (name: string, check: (broker: KafkaBroker) => Promise<void>): void =>
  void test(name, (context) =>
    'skipped' in broker ? context.skip(broker.skipped) : check(broker),
  );

const MOODS: Partial<Record<Situation, Mood>> = {
  'is slow': 'slow',
  'cuts before the body': 'cuts at once',
  'cuts in the body': 'cuts in the batch',
  'takes the batch and its answer is lost': 'loses the answer',
  'answers nonsense': 'answers nonsense',
  'answers endlessly': 'answers endlessly',
  'says nothing': 'is silent',
  'takes nothing': 'takes nothing',
};

const TOPICS: Partial<Record<Situation, readonly string[]>> = {
  'finds the batch too large': ['max.message.bytes=300'],
  'finds the content bad': ['cleanup.policy=compact'],
};

const cut: Expected = { kind: 'retry', reason: /cut|closed/ };

const EXPECTED: Record<Situation, Expected> = {
  accepts: { kind: 'accepted' },
  'is slow': { kind: 'accepted' },
  'refuses the credentials': { kind: 'retry', reason: /code 58: the credentials/ },
  'finds the batch too large': { kind: 'split', reason: /code 10: / },
  'finds the content bad': { kind: 'reject', reason: /code 87: .*needs a key/ },
  'asks to wait': { notHere: 'a broker that wants less delays its answers itself' },
  'is in trouble': {
    notHere: 'one broker alone lacks no replica; a scripted broker says codes 19 and 56',
  },
  redirects: { notHere: 'another leader is named in metadata, and asked' },
  'cuts before the body': cut,
  'cuts in the body': cut,
  'takes the batch and its answer is lost': cut,
  'answers nonsense': { kind: 'retry', reason: /does not speak Kafka/ },
  'answers endlessly': { kind: 'retry', reason: /does not speak Kafka/ },
  'answers by half': { notHere: 'like an answer that never comes' },
  'says nothing': { kind: 'retry', reason: /nothing moved/ },
  'takes nothing': { kind: 'retry', reason: /nothing moved/ },
  'has a certificate that expired': { kind: 'retry', reason: /TLS.*expired/ },
  'has a certificate of nobody known': { kind: 'retry', reason: /TLS.*self-signed/ },
  'has a name that does not exist': { kind: 'retry', reason: /DNS.*not found/ },
  'stands at an inner address': { kind: 'retry', reason: /not allowed/ },
  'has no space': { notHere: 'code 56, which is trouble like another' },
};

async function rig(running: KafkaBroker, situation: Situation): Promise<Rig> {
  const { relay, loginPort } = running;
  const expired = situation === 'has a certificate that expired';
  const unknown = situation === 'has a certificate of nobody known';
  const quiet = situation === 'says nothing' || situation === 'takes nothing';
  const inner = situation === 'stands at an inner address';
  relay.mood(MOODS[situation] ?? 'good');
  relay.dress(expired ? 'expired' : 'good');
  const wary = testDialler({
    ca: unknown ? [] : [VALID.cert, EXPIRED.cert],
    ...(inner ? { open: [] } : {}),
  });
  const trusting = testDialler({ ca: [VALID.cert, EXPIRED.cert] });
  const open = (conf: string, dialler = trusting) =>
    kafkaDestination.open(conf, testTools({ dialler, stallMs: quiet ? 1_500 : 10_000 }));
  const host = situation === 'has a name that does not exist' ? 'nowhere.example' : 'receiver.test';
  const wrong = `kafka://127.0.0.1:${loginPort}/good?tls=false&sasl-mechanism=SCRAM-SHA-512&username=waybill&password=wrong`;
  const topic = TOPICS[situation] ? situation.replaceAll(' ', '-') : 'good';
  const first =
    situation === 'refuses the credentials' ? wrong : `kafka://${host}:${relay.port}/${topic}`;
  let sender = await open(first, wary);
  // Topics are shared: what a rig holds begins with the first batch that it was told is there.
  let from: number | undefined;
  let lines = 0;
  return {
    sender: {
      async send(batch, signal) {
        const outcome = await sender.send(batch, signal);
        if (outcome.kind !== 'accepted') return outcome;
        lines += batch.lines;
        from ??= Number(/@(\d+)/.exec(outcome.receipt)?.[1]);
        // Where it stands differs by nature.
        return { ...outcome, receipt: outcome.receipt.replace(/@.*/, '') };
      },
      close: () => sender.close(),
    },
    async held() {
      if (from === undefined) return [];
      // A consumer on a loaded machine may end before it has seen anything.
      let rows = await running.read('good', 0, from, lines);
      for (let tries = 0; tries < 2 && rows.length < lines; tries += 1)
        rows = await running.read('good', 0, from, lines);
      return batchesOf(rows);
    },
    async recover() {
      relay.mood('good');
      relay.dress('good');
      await sender.close();
      sender = await open(`kafka://receiver.test:${relay.port}/good`);
    },
    close() {
      wary.close();
      trusting.close();
      return Promise.resolve();
    },
  };
}

/** All partitions' messages; a consumer that had too little time is asked again. */
async function readAll(
  running: KafkaBroker,
  topic: string,
  partitions: number,
  least: number,
): Promise<readonly string[]> {
  let rows: string[] = [];
  for (let tries = 0; tries < 4 && rows.length < least; tries += 1) {
    rows = [];
    for (let partition = 0; partition < partitions; partition += 1)
      rows.push(...(await running.read(topic, partition)));
  }
  return rows;
}

/** Messages put together again: a batch ends when the next message is the first line again. */
function batchesOf(rows: readonly string[]): readonly Buffer[] {
  const lines = rows.map((row) => `${row.split('\t').at(-1)}\n`);
  const starts = lines.flatMap((line, index) => (line === lines[0] ? [index] : []));
  return starts.map((start, index) =>
    gzipSync(lines.slice(start, starts[index + 1]).join(''), { level: 1 }),
  );
}

describe('conformance', () => {
  const subject = {
    name: 'kafka',
    repeats: 'appends' as const,
    expected: EXPECTED,
    neverSaid: ['wrong', '127.0.0.1:9'],
    rig: (situation: Situation) =>
      'skipped' in broker ? Promise.reject(new Error(broker.skipped)) : rig(broker, situation),
  };
  for (const { name, check } of destinationConformance(subject)) claim(name, () => check());
});

claim(
  'lines arrive as they are, with place, time and key, in the partition that Kafka’s clients choose',
  async (running) => {
    await running.topic('placed', 4);
    running.relay.mood('good');
    running.relay.dress(undefined);
    const conf = `kafka://receiver.test:${running.relay.port}/placed?tls=false&compression=zstd&record-key=field:RayID`;
    const lines = Array.from(
      { length: 500 },
      (_, n) => `{"RayID":"ray\\u002d${n}","t":"é \\"${n}\\""}`,
    );
    const batch = batchFor(conf, lines);
    const outcome = await send(conf, batch);
    assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
    const rows = await readAll(running, 'placed', 4, lines.length);
    assert.equal(rows.length, lines.length);
    for (const row of rows) {
      const [time, , , headers = '', key, value = ''] = row.split('\t');
      const place = Number(/waybill-line:00000000000000aa:(\d+)/.exec(headers)?.[1]);
      assert.equal(time, `CreateTime:${batch.receivedMs.first}`);
      assert.equal(value, lines[place]);
      assert.equal(key, `ray-${place}`);
      assert.ok(headers.includes(`waybill-batch:${batch.id}`), headers);
      assert.ok(headers.includes('waybill-offsets:00000000000000aa:0-500'), headers);
    }
  },
);

claim(
  'I7: a batch whose answer was lost is there once after its repeat by the same sender',
  async (running) => {
    await running.topic('once', 3);
    const { relay } = running;
    relay.dress(undefined);
    relay.mood('loses the answer');
    const dialler = testDialler();
    const conf = `kafka://receiver.test:${relay.port}/once?tls=false&record-key=field:n&message-bytes=16384`;
    const lines = Array.from({ length: 2_000 }, (_, n) => `{"n":${n}}`);
    const sender = await kafkaDestination.open(conf, testTools({ dialler }));
    const batch = batchFor(conf, lines);
    for (let tries = 0; tries < 6; tries += 1) {
      assert.equal((await sender.send(batch, new AbortController().signal)).kind, 'retry');
    }
    relay.mood('good');
    const outcome = await sender.send(batch, new AbortController().signal);
    assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
    const rows = await readAll(running, 'once', 3, lines.length);
    const seen = rows.map((row) => row.split('\t').at(-1));
    assert.equal(seen.length, lines.length);
    assert.deepEqual(new Set(seen), new Set(lines));
    await sender.close();
    dialler.close();
  },
);

claim('a topic that takes less than the job says gets smaller batches', async (running) => {
  await running.topic('small', 1, 'max.message.bytes=20000');
  running.relay.mood('good');
  running.relay.dress(undefined);
  const conf = `kafka://receiver.test:${running.relay.port}/small?tls=false&compression=none`;
  const outcome = await send(conf, sampleBatch(300_000));
  assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
});

claim('each way to log in is taken, and its mistakes are told in plain words', async (running) => {
  await running.topic('login', 1);
  const at = `kafka://127.0.0.1:${running.loginPort}/login?tls=false`;
  const user = '&username=waybill&password=';
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const conf = `${at}&sasl-mechanism=${mechanism}${user}`;
    const good = await send(`${conf}open%20sesame`, sampleBatch());
    assert.equal(good.kind, 'accepted', JSON.stringify(good));
    const wrong = await send(`${conf}open`, sampleBatch());
    assert.match(JSON.stringify(wrong), /"retry".*credentials were not accepted/);
  }
  assert.match(JSON.stringify(await send(at, sampleBatch())), /"retry".*another log-in/);
  const nowhere = `${at.replace('/login', '/nowhere')}&sasl-mechanism=PLAIN${user}open%20sesame`;
  assert.match(JSON.stringify(await send(nowhere, sampleBatch())), /topic does not exist/);
});

claim(
  'a client certificate is taken where the broker wants one, and what is wrong with it is told',
  async (running) => {
    await running.topic('mutual', 1);
    const param = (name: string, pem: string): string =>
      `&${name}=${encodeURIComponent(Buffer.from(pem).toString('base64'))}`;
    const trust = param('ca-certificate', VALID.cert);
    const shown = ({ cert, key }: typeof CLIENT): string =>
      param('client-certificate', cert) + param('client-key', key);
    // The broker is asked for its cluster, which names it anew: what was learned is dialled with the certificate too.
    const at = `kafka://receiver.test:${running.mutualPort}/mutual?tls=true`;
    const batch = sampleBatch();
    const good = await send(at + trust + shown(CLIENT), batch);
    assert.equal(good.kind, 'accepted', JSON.stringify(good));
    assert.equal((await running.read('mutual', 0, 0, batch.lines)).length, batch.lines);
    for (const without of [trust, trust + shown(EXPIRED)]) {
      const said = JSON.stringify(await send(at + without, batch));
      assert.match(said, /"retry".*client certificate/);
    }
    // The tests' dialler trusts the broker's certificate; a job's own authority stands in its place.
    const other = await send(at + param('ca-certificate', CLIENT.cert) + shown(CLIENT), batch);
    assert.match(JSON.stringify(other), /"retry".*TLS: the certificate is self-signed/);
  },
);
