import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { testDialler } from '../../../test/servers/dialler.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import { sampleBatch } from '../conformance.ts';
import { hasProblems, parseDestination, redactDestination } from '../index.ts';
import { kafkaDestination } from './index.ts';
import { murmur2 } from './murmur2.ts';
import { encodeBatch, encodeRecords, putVarint, SharedHeaders } from './record-batch.ts';
import { recordsOf } from './rows.ts';
import { ScramLogin } from './scram.ts';
import { LINE_FRAMING } from './settings.ts';
import { cut, Shipment } from './shipment.ts';
import { WireError, WireReader, WireWriter } from './wire.ts';

const going = new AbortController().signal;

describe('what goes over the wire', () => {
  test('keys hash as in the Java client', () => {
    // The values of the client's own tests (UtilsTest.testMurmur2), with the sign taken off.
    const known: [string, number][] = [
      ['21', -973932308],
      ['foobar', -790332482],
      ['a-little-bit-long-string', -985981536],
      ['a-little-bit-longer-string', -1486304829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
      ['abc', 479470107],
    ];
    for (const [key, hash] of known) assert.equal(murmur2(Buffer.from(key)), hash & 0x7fffffff);
  });

  test('numbers are zigzag and seven bits a byte', () => {
    const bytes = (value: number): string => {
      const out = Buffer.alloc(8);
      return out.subarray(0, putVarint(out, 0, value)).toString('hex');
    };
    assert.deepEqual([0, -1, 1, 63, -64, 64, 300].map(bytes), [
      '00',
      '01',
      '02',
      '7e',
      '7f',
      '8001',
      'd804',
    ]);
  });

  test('a record batch is laid out as the format says', () => {
    const shared = new SharedHeaders({ h: 'v' });
    const record = { key: Buffer.from('k'), value: Buffer.from('v'), timeMs: 5, line: 'e:1' };
    const records = encodeRecords([record], shared);
    // length, attributes, time, place, key, value, two headers: h=v, waybill-line=e:1
    const line = `18${Buffer.from('waybill-line').toString('hex')}06${Buffer.from('e:1').toString('hex')}`;
    assert.equal(records.toString('hex'), `3a000000026b027604026802 76${line}`.replaceAll(' ', ''));
    const mark = { id: 9n, epoch: 2, sequence: 7 };
    const [head] = encodeBatch([record], records, 'none', mark);
    assert.equal(head.length, 61);
    assert.equal(head.readInt32BE(8), head.length + records.length - 12);
    assert.deepEqual([head.readInt8(16), head.readInt16BE(21)], [2, 0]);
    assert.deepEqual(
      [head.readBigInt64BE(43), head.readInt16BE(51), head.readInt32BE(53)],
      [9n, 2, 7],
    );
  });

  test('an answer that lies about a length is an error and no memory', () => {
    const huge = Buffer.concat(new WireWriter().int32(2 ** 31 - 1).finish());
    assert.throws(() => new WireReader(huge).bytes(), WireError);
    assert.throws(() => new WireReader(huge).array(1_000, () => 0), WireError);
    assert.throws(() => new WireReader(Buffer.from([0xff, 0x00])).string(), WireError);
  });

  test('SCRAM gives the messages of RFC 7677, and believes only who knows the password', async () => {
    const login = new ScramLogin('sha256', 'user', 'pencil', 'rOprNGfwEbeRWgbNEkqO');
    assert.equal(login.first().toString(), 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    const final = await login.final(Buffer.from(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`));
    const proof = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
    assert.equal(final?.toString(), `c=biws,r=${nonce},p=${proof}`);
    const verifier = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';
    assert.equal(login.isProven(Buffer.from(`v=${verifier}`)), true);
    assert.equal(login.isProven(Buffer.from(`v=${verifier.replace('6', '7')}`)), false);
    for (const bad of [
      'r=other,s=QQ==,i=4096',
      `r=${nonce},s=QQ==,i=1`,
      `r=${nonce},s=QQ==,i=99999999`,
    ])
      assert.equal(await login.final(Buffer.from(bad)), undefined, bad);
  });
});

describe('lines into records', () => {
  const framed = (rows: string) => ({
    ...sampleBatch(),
    contentType: LINE_FRAMING.contentType,
    encoding: 'identity' as const,
    body: [Buffer.from(rows)],
  });

  test('a line keeps its bytes, its place and its time; a field may be its key', async () => {
    const lines = [
      '{"a":"x\\u0041","n":1.50}',
      '{"a":null}',
      '{"a":17320000001234567890}',
      '{"b":1}',
    ];
    const rows = lines.map((line, index) => `${index + 3} ${1_000 + index} ${line}\n`).join('');
    const records = await recordsOf(framed(rows), { kind: 'field', name: 'a' });
    assert.deepEqual(
      records.map(({ value }) => value.toString()),
      lines,
    );
    const keys = records.map(({ key }) => key?.toString());
    assert.deepEqual(keys, ['xA', undefined, '17320000001234567890', undefined]);
    assert.equal(records[1]?.line, '00000000000000aa:4');
    assert.equal(records[1]?.timeMs, 1_001);
  });

  test('every record goes to one chunk, in order within its partition, and none is too long', () => {
    const shared = new SharedHeaders({ a: 'b' });
    const record = fc.record({
      key: fc.option(fc.string(), { nil: undefined }),
      bytes: fc.nat(400),
    });
    fc.assert(
      fc.property(fc.array(record), fc.integer({ min: 1, max: 9 }), (made, partitions) => {
        const records = made.map(({ key, bytes }) => ({
          key: key === undefined ? undefined : Buffer.from(key),
          value: Buffer.alloc(bytes),
          timeMs: 0,
          line: undefined,
        }));
        const chunks = cut(sampleBatch(), records, { messageBytes: 1_000 }, partitions, shared);
        const places = chunks.flatMap((chunk) => chunk.places);
        assert.deepEqual(
          places.toSorted((a, b) => a - b),
          records.map((_, place) => place),
        );
        for (const chunk of chunks) {
          const own = chunk.places.flatMap((place) => records[place] ?? []);
          assert.ok(own.length === 1 || encodeRecords(own, shared).length <= 1_000);
          assert.deepEqual(
            chunk.places,
            chunk.places.toSorted((a, b) => a - b),
          );
        }
      }),
    );
  });

  test('I7: what was taken is not sent again, and sequence numbers follow what was taken', () => {
    const chunks = [0, 0, 1].map((partition, index) => ({
      partition,
      places: [index * 2, index * 2 + 1],
    }));
    const shipment = new Shipment('a', chunks);
    shipment.producer = { id: 1n, epoch: 0, next: new Map() };
    const [first, other] = shipment.next;
    assert.ok(first && other);
    shipment.taken(first, 10n);
    const [second] = shipment.next;
    assert.ok(second);
    assert.equal(shipment.sequenceOf(second), 2);
    assert.equal(shipment.halve(second), true);
    assert.deepEqual(
      shipment.next.map(({ places }) => places),
      [[2], [4, 5]],
    );
    assert.equal(shipment.halve({ partition: 0, places: [2] }), false);
  });
});

describe('destination_conf', () => {
  const policy = { allowHttp: false, fileRoots: [] };
  const problemsOf = (conf: string): string => {
    const parsed = parseDestination(conf, policy);
    return hasProblems(parsed)
      ? parsed.map(({ setting, message }) => `${setting}: ${message}`).join('\n')
      : '';
  };

  test('says what is wrong with each setting', () => {
    assert.equal(
      problemsOf('kafka://b1:9093,[2a00::1]:9093,b3/logs?record-key=field:a&partition=0'),
      '',
    );
    const cases: Record<string, RegExp> = {
      'kafka://b1:9093': /name of a topic/,
      'kafka:///logs': /1 to 16 brokers/,
      'kafka://b1,b2:0/logs': /1 to 16 brokers/,
      'kafka://b1,/logs': /1 to 16 brokers/,
      'kafka://u:p@b1/logs': /1 to 16 brokers/,
      'kafka://b1/logs/more': /name of a topic/,
      'kafka://b1/logs?tls=false': /not encrypted/,
      'kafka://b1/logs?record-key=a': /record-key: must be/,
      'kafka://b1/logs?partition=-1': /partition: must be/,
      'kafka://b1/logs?compression=snappy': /compression: must be/,
      'kafka://b1/logs?message-bytes=1': /message-bytes: must be/,
      'kafka://b1/logs?sasl-mechanism=GSSAPI&username=u&password=p': /must be one of PLAIN/,
      'kafka://b1/logs?username=u&password=p': /sasl-mechanism: is needed/,
      'kafka://b1/logs?sasl-mechanism=PLAIN&username=u': /password: is needed/,
      'kafka://b1/logs?acks=1': /acks: is not known here/,
    };
    for (const [conf, expected] of Object.entries(cases))
      assert.match(problemsOf(conf), expected, conf);
  });

  test('a password is never shown, a key field is', () => {
    const conf =
      'kafka://b1/logs?record-key=field:a&sasl-mechanism=PLAIN&username=u&password=hunter2';
    assert.equal(redactDestination(conf), conf.replace('hunter2', '***'));
  });
});

/** A broker that answers from a script; enough to say what no real one would. */
async function scripted(
  answers: (api: number, port: number) => readonly Buffer[] | undefined,
): Promise<{ readonly port: number; readonly requests: Buffer[]; close(): void }> {
  const requests: Buffer[] = [];
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    let held = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const request = held.subarray(4, 4 + held.readInt32BE(0));
        held = held.subarray(4 + request.length);
        requests.push(request);
        const { port } = server.address() as AddressInfo;
        const body = answers(request.readInt16BE(0), port);
        if (!body) return void socket.destroy();
        const answer = Buffer.concat([request.subarray(4, 8), ...body]);
        const length = Buffer.alloc(4);
        length.writeInt32BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
      }
    });
  });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const VERSIONS = [
  [0, 9],
  [3, 9],
  [18, 3],
  [22, 4],
] as const;

function versions(): readonly Buffer[] {
  const answer = new WireWriter().int16(0);
  return answer
    .array(VERSIONS, ([key, most]) => void answer.int16(key).int16(0).int16(most))
    .finish();
}

function metadata(host: string, port: number): readonly Buffer[] {
  const answer = new WireWriter().int32(0);
  answer.array([1], (id) => void answer.int32(id).string(host).int32(port).string(undefined));
  answer.string(undefined).int32(1);
  return answer
    .array(['logs'], (topic) => {
      answer.int16(0).string(topic).int8(0);
      answer.array([0], (index) => {
        answer.int16(0).int32(index).int32(1);
        answer.array([1], () => void answer.int32(1)).array([1], () => void answer.int32(1));
      });
    })
    .finish();
}

const producerId = (): readonly Buffer[] =>
  new WireWriter().int32(0).int16(0).int32(0).int32(5).int16(0).finish();

function produced(code: number): readonly Buffer[] {
  const answer = new WireWriter();
  answer.array(['logs'], (topic) => {
    answer.string(topic).array([0], () => {
      answer.int32(0).int16(code).int32(0).int32(42).int32(-1).int32(-1).int32(0).int32(0);
    });
  });
  return answer.int32(0).finish();
}

describe('hostile and troubled clusters', () => {
  async function trySend(
    answers: (api: number, port: number) => readonly Buffer[] | undefined,
    open: readonly string[] = ['127.0.0.1/32'],
  ) {
    const broker = await scripted(answers);
    const dialler = testDialler({ open });
    const conf = `kafka://127.0.0.1:${broker.port}/logs?tls=false`;
    const sender = await kafkaDestination.open(conf, testTools({ dialler, stallMs: 1_000 }));
    try {
      const outcome = await sender.send(sampleBatch(), going);
      return { outcome, said: JSON.stringify(outcome), requests: broker.requests };
    } finally {
      await sender.close();
      dialler.close();
      broker.close();
    }
  }

  const honest = (api: number, port: number, code = 0) =>
    ({ 0: produced(code), 3: metadata('127.0.0.1', port), 18: versions(), 22: producerId() })[api];

  test('an honest one takes the batch, whole and compressed, acknowledged by all', async () => {
    const { outcome, requests } = await trySend(honest);
    assert.deepEqual(outcome, { kind: 'accepted', receipt: 'logs[0]@42' });
    const produce = requests.find((request) => request.readInt16BE(0) === 0);
    assert.ok(produce);
    const records = produce.subarray(produce.indexOf(Buffer.from([0x1f, 0x8b])));
    assert.ok(gunzipSync(records).includes('waybill-batch'));
  });

  test('a broker learned from metadata is vetted like every destination', async () => {
    for (const host of [
      '127.0.0.2',
      '169.254.169.254',
      '10.1.2.3',

      '::ffff:10.0.0.1',
      '',
    ]) {
      const { said } = await trySend((api, port) =>
        api === 3 ? metadata(host, port) : honest(api, port),
      );
      assert.match(said, /"retry".*(not allowed|without an address)/, host);
    }
  });

  test('every code is told in its own words', async () => {
    const cases: Record<number, RegExp> = {
      3: /retry.*topic does not exist/,
      19: /retry.*too few replicas/,
      29: /retry.*may not write/,
      46: /accepted/,
      56: /retry.*disk/,
      87: /reject.*needs a key/,
      1234: /retry.*code 1234/,
    };
    for (const [code, expected] of Object.entries(cases)) {
      const { said } = await trySend((api, port) => honest(api, port, Number(code)));
      assert.match(said, expected, code);
    }
  });

  test('a topic that takes nothing is asked with ever smaller batches, and then it is a split', async () => {
    const { outcome, requests } = await trySend((api, port) => honest(api, port, 10));
    assert.equal(outcome.kind, 'split');
    assert.ok(requests.length < 12, 'halves of the first run alone, down to one line');
  });

  test('metadata without end, or of nothing, is not believed', async () => {
    const bodies = [
      new WireWriter()
        .int32(0)
        .int32(2 ** 31 - 1)
        .finish(),
      new WireWriter().int32(0).int32(0).string(undefined).int32(1).int32(0).finish(),
      [Buffer.alloc(3)],
    ];
    for (const body of bodies) {
      const { said } = await trySend((api, port) => (api === 3 ? body : honest(api, port)));
      assert.match(said, /"retry"/);
    }
  });
});
