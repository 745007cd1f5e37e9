/** Destinations against servers that we did not write. Each is skipped with its reason where it cannot be had. */
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sampleBatch } from '../../src/destinations/conformance.ts';
import {
  frameLines,
  hasProblems,
  openDestination,
  parseDestination,
} from '../../src/destinations/index.ts';
import type { Batch, DestinationTools, SendOutcome } from '../../src/destinations/index.ts';
import { testDialler } from '../servers/dialler.ts';
import {
  AZURITE,
  FAKE_GCS,
  MOTO,
  RSYSLOG,
  startInstalled,
  VICTORIA_LOGS,
} from '../servers/installed.ts';
import type { Recipe, Running } from '../servers/installed.ts';
import { testTools } from '../servers/scripted-rig.ts';

const dialler = testDialler();
after(() => dialler.close());

const going = new AbortController().signal;
const policy = { allowHttp: true, fileRoots: [] };

/** A batch as delivery makes it for a conf: framed if it wants that. */
function batchFor(conf: string, lines: readonly string[], id = 'job7-aa-0'): Batch {
  const parsed = parseDestination(conf, policy);
  assert.ok(!hasProblems(parsed), JSON.stringify(parsed));
  const nowMs = Date.now();
  const { framing } = parsed;
  const plain = framing
    ? frameLines(
        framing,
        lines.map((line, offset) => ({
          bytes: Buffer.from(line),
          job: 7,
          epoch: '00000000000000aa',
          offset,
          receivedMs: nowMs,
        })),
      )
    : Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const body = parsed.encoding === 'identity' ? plain : gzipSync(plain);
  return {
    ...sampleBatch(100, id),
    lines: lines.length,
    to: lines.length,
    receivedMs: { first: nowMs, last: nowMs },
    contentType: framing?.contentType ?? 'application/x-ndjson',
    ...(parsed.encoding ? { encoding: parsed.encoding } : {}),
    body: [body],
    bodyBytes: body.length,
    plainBytes: plain.length,
  };
}

async function send(
  conf: string,
  batch: Batch,
  tools: Partial<DestinationTools> = {},
): Promise<SendOutcome> {
  const all = testTools({ ...tools, dialler, responseBytes: 65_536 });
  const sender = await openDestination(conf, all);
  try {
    return await sender.send(batch, going);
  } finally {
    await sender.close();
  }
}

function withServer(
  recipe: Recipe,
  args: (
    port: number,
    folder: string,
    home: string,
  ) => readonly string[] | Promise<readonly string[]>,
  claims: (claim: (name: string, check: (server: Running) => Promise<void>) => void) => void,
): void {
  describe(recipe.name, () => {
    let server: Running | { skipped: string } = { skipped: 'not started' };
    before(async () => {
      server = await startInstalled(recipe, args);
    });
    after(async () => {
      if (!('skipped' in server)) await server.stop();
    });
    claims((name, check) => {
      test(name, (context) => ('skipped' in server ? context.skip(server.skipped) : check(server)));
    });
  });
}

const LINES = [
  '{"_msg":"one","n":1732000000123456789,"_time":"2026-01-01T00:00:00Z"}',
  '{"_msg":"two \\"quoted\\" é","path":"C:\\\\x"}',
  '{"_msg":"three","t":"tab\\there"}',
];

async function query(port: number, text: string): Promise<Record<string, string>[]> {
  // What came is seen after a second or so.
  for (let tries = 0; tries < 60; tries += 1) {
    const url = `http://127.0.0.1:${port}/select/logsql/query?query=${encodeURIComponent(text)}`;
    const found = await (await fetch(url)).text();
    const rows = found.split('\n').filter((row) => row !== '');
    if (rows.length >= LINES.length)
      return rows.map((row) => JSON.parse(row) as Record<string, string>);
    await sleep(100);
  }
  return [];
}

withServer(
  VICTORIA_LOGS,
  (port, folder) => [
    `-httpListenAddr=127.0.0.1:${port}`,
    `-storageDataPath=${folder}/data`,
    '-retentionPeriod=10y',
  ],
  (claim) => {
    claim('elasticsearch: _bulk takes every line', async ({ port }) => {
      const conf = `elasticsearch://127.0.0.1:${port}/insert/elasticsearch?tls=false&index=logs&_stream_fields=es&_time_field=_time&_msg_field=_msg&extra_fields=es=1`;
      const outcome = await send(conf, batchFor(conf, LINES));
      assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
      const rows = await query(port, 'es:1 AND _time:10y');
      assert.equal(rows.length, 3);
      assert.ok(rows.some(({ n }) => n === '1732000000123456789'));
      assert.ok(rows.some(({ path }) => path === 'C:\\x'));
    });

    claim('loki: every line arrives as it was, at times of its own', async ({ port }) => {
      const conf = `loki://127.0.0.1:${port}/insert/loki/api/v1/push?tls=false&label_via=loki&disable_message_parsing=1`;
      const outcome = await send(conf, batchFor(conf, LINES));
      assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
      const rows = await query(port, 'via:loki AND _time:1h');
      assert.deepEqual(
        rows.map(({ _msg }) => _msg).toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1)),
        LINES.toSorted((a, b) => (a < b ? -1 : 1)),
      );
      assert.equal(new Set(rows.map(({ _time }) => _time)).size, 3);
    });

    claim(
      'otlp: is refused as JSON, in plain words, by a server that takes protobuf only',
      async ({ port }) => {
        const conf = `otlp://127.0.0.1:${port}/insert/opentelemetry/v1/logs?tls=false`;
        const outcome = await send(conf, batchFor(conf, LINES));
        assert.notEqual(outcome.kind, 'accepted');
      },
    );
  },
);

const AZURE_ACCOUNT = 'waybilltest';
const AZURE_KEY = Buffer.alloc(64, 7).toString('base64');

/** A shared access signature of a whole account, as Azure's portal makes it. */
function sharedAccess(permissions: string, expiry = '2125-01-01T00:00:00Z'): string {
  const [version, services, types, protocol] = ['2020-08-04', 'b', 'co', 'https,http'];
  const text = [AZURE_ACCOUNT, permissions, services, types, '', expiry, '', protocol, version, ''];
  const key = Buffer.from(AZURE_KEY, 'base64');
  const sig = createHmac('sha256', key).update(text.join('\n')).digest('base64');
  return new URLSearchParams({
    sv: version,
    ss: services,
    srt: types,
    sp: permissions,
    se: expiry,
    spr: protocol,
    sig,
  }).toString();
}

withServer(
  AZURITE,
  (port, folder) => {
    process.env['AZURITE_ACCOUNTS'] = `${AZURE_ACCOUNT}:${AZURE_KEY}`;
    return [
      '--blobHost',
      '127.0.0.1',
      '--blobPort',
      String(port),
      '--location',
      folder,
      '--silent',
      '--skipApiVersionCheck',
      '--disableTelemetry',
    ];
  },
  (claim) => {
    const conf = (port: number, permissions = 'cw', container = 'logs', expiry?: string): string =>
      `azure://127.0.0.1:${port}/${AZURE_ACCOUNT}/${container}/a%20b/{DATE}?tls=false&path-style=true&${sharedAccess(permissions, expiry)}`;

    async function make({ port }: Running): Promise<string> {
      const base = `http://127.0.0.1:${port}/${AZURE_ACCOUNT}/logs`;
      await fetch(`${base}?restype=container&${sharedAccess('cw')}`, { method: 'PUT' });
      return base;
    }

    claim('I7: a batch and its repeat are one blob', async (server) => {
      const base = await make(server);
      const batch = sampleBatch(300_000);
      const first = await send(conf(server.port), batch);
      assert.equal(first.kind, 'accepted', JSON.stringify(first));
      assert.deepEqual(await send(conf(server.port), batch), first);
      const url = `${base}/a%20b/20260102/${batch.name}?${sharedAccess('r')}`;
      const got = await fetch(url);
      assert.ok(Buffer.from(await got.arrayBuffer()).equals(Buffer.concat(batch.body)));
      assert.equal(got.headers.get('content-type'), 'application/gzip');
      assert.equal(got.headers.get('content-encoding'), null);
      assert.equal(got.headers.get('x-ms-meta-waybillbatchid'), batch.id);
    });

    claim('what is wrong is said in plain words', async (server) => {
      await make(server);
      const reason = async (to: string, batch = sampleBatch(500, 'other')): Promise<string> => {
        const outcome = await send(to, batch);
        assert.equal(outcome.kind, 'retry', JSON.stringify(outcome));
        return outcome.kind === 'retry' ? outcome.reason : '';
      };
      assert.match(await reason(conf(server.port, 'c', 'nowhere')), /container does not exist/);
      assert.match(
        await reason(conf(server.port, 'c').replace(/sig=[^&]+/, 'sig=AAAA')),
        /signature/,
      );
      assert.match(await reason(conf(server.port, 'c', 'logs', '2021-01-01T00:00:00Z')), /expired/);
    });
  },
);

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

withServer(
  FAKE_GCS,
  (port, folder) => [
    '-scheme',
    'http',
    '-host',
    '127.0.0.1',
    '-port',
    String(port),
    '-backend',
    'memory',
    '-public-host',
    `127.0.0.1:${port}`,
    '-filesystem-root',
    folder,
  ],
  (claim) => {
    /** The server asks for no token; this one gives some. */
    const tokens = createServer((request, answer) => {
      request.resume().on('end', () => answer.end('{"access_token":"t","expires_in":3600}'));
    });
    before(() => new Promise<void>((done) => void tokens.listen(0, '127.0.0.1', done)));
    after(() => tokens.close());

    claim('I7: a batch and its repeat are one object', async ({ port }) => {
      const made = await fetch(`http://127.0.0.1:${port}/storage/v1/b`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"name":"logs"}',
      });
      assert.equal(made.status, 200);
      const file = {
        type: 'service_account',
        client_email: 'a@b.iam.gserviceaccount.com',
        private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
        token_uri: `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/`,
      };
      const credentials = `base64:${Buffer.from(JSON.stringify(file)).toString('base64')}`;
      const conf = (bucket: string): string =>
        `gs://${bucket}/a%20b/{DATE}?endpoint=http://127.0.0.1:${port}&credentials=${encodeURIComponent(credentials)}`;
      const batch = sampleBatch(300_000);
      const first = await send(conf('logs'), batch);
      assert.equal(first.kind, 'accepted', JSON.stringify(first));
      assert.deepEqual(await send(conf('logs'), batch), first);
      const name = encodeURIComponent(`a b/20260102/${batch.name}`);
      const object = `http://127.0.0.1:${port}/storage/v1/b/logs/o/${name}`;
      const got = Buffer.from(await (await fetch(`${object}?alt=media`)).arrayBuffer());
      assert.ok(got.equals(Buffer.concat(batch.body)));
      const about = (await (await fetch(object)).json()) as { metadata: Record<string, string> };
      assert.equal(about.metadata['waybill-batchid'], batch.id);
      const nowhere = await send(conf('nowhere'), sampleBatch(500, 'other'));
      assert.match(JSON.stringify(nowhere), /"retry".*bucket does not exist/);
    });
  },
);

const KEYS = 'access-key-id=K&secret-access-key=S';

withServer(
  MOTO,
  (port) => ['-H', '127.0.0.1', '-p', String(port)],
  (claim) => {
    claim('kinesis: a batch is one record with exactly the bytes', async ({ port }) => {
      const at = `http://127.0.0.1:${port}`;
      const call = async (target: string, body: object): Promise<Record<string, unknown>> => {
        const answer = await fetch(at, {
          method: 'POST',
          headers: {
            'content-type': 'application/x-amz-json-1.1',
            'x-amz-target': `Kinesis_20131202.${target}`,
            authorization:
              'AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0',
          },
          body: JSON.stringify(body),
        });
        return (await answer.json().catch(() => ({}))) as Record<string, unknown>;
      };
      await call('CreateStream', { StreamName: 'logs', ShardCount: 1 });
      const conf = (stream: string): string =>
        `kinesis://${stream}?region=us-east-1&endpoint=${at}&${KEYS}`;
      const batch = sampleBatch(300_000);
      const outcome = await send(conf('logs'), batch);
      assert.match(JSON.stringify(outcome), /"accepted".*shardId-/);
      const shard = { StreamName: 'logs', ShardId: 'shardId-000000000000' };
      const { ShardIterator } = await call('GetShardIterator', {
        ...shard,
        ShardIteratorType: 'TRIM_HORIZON',
      });
      const { Records } = (await call('GetRecords', { ShardIterator })) as {
        Records: { Data: string; PartitionKey: string }[];
      };
      assert.equal(Records.length, 1);
      assert.equal(Records[0]?.PartitionKey, batch.id);
      const data = Buffer.from(Records[0]?.Data ?? '', 'base64');
      assert.ok(gunzipSync(data).equals(gunzipSync(Buffer.concat(batch.body))));
      const nowhere = await send(conf('nowhere'), batch);
      assert.match(JSON.stringify(nowhere), /"retry".*stream does not exist/);
    });

    claim(
      's3: keys of an assumed role put an object; another external id does not',
      async ({ port }) => {
        const at = `http://127.0.0.1:${port}`;
        await fetch(`${at}/logs`, {
          method: 'PUT',
          headers: {
            authorization:
              'AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0',
          },
        });
        const arn = 'arn:aws:iam::123456789012:role/logs';
        const conf = `s3://logs/a?region=us-east-1&endpoint=${at}&sts-endpoint=${at}&sts-assume-role-arn=${arn}`;
        const tools = {
          externalId: 'waybill-a1',
          roleKeys: { accessKeyId: 'OWN', secretAccessKey: 'own-secret' },
        };
        const outcome = await send(conf, sampleBatch(), tools);
        assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
        const other = await send(`${conf}&sts-external-id=waybill-a2`, sampleBatch(), tools);
        assert.match(JSON.stringify(other), /external id of this account is waybill-a1/);
        const none = await send(conf, sampleBatch());
        assert.match(JSON.stringify(none), /roles cannot be assumed here/);
      },
    );
  },
);

withServer(
  RSYSLOG,
  async (port, folder, home) => {
    const conf = [
      'global(maxMessageSize="64k" processInternalMessages="off")',
      'module(load="imtcp")',
      `input(type="imtcp" port="${port}" address="127.0.0.1")`,
      'template(name="seen" type="string" string="%PROCID% %HOSTNAME% %APP-NAME% %msg%\\n")',
      `action(type="omfile" file="${folder}/out" template="seen")`,
    ];
    await writeFile(`${folder}/rsyslog.conf`, `${conf.join('\n')}\n`);
    const modules = `${home}/usr/lib/x86_64-linux-gnu/rsyslog`;
    return ['-n', '-f', `${folder}/rsyslog.conf`, '-i', `${folder}/pid`, '-M', modules];
  },
  (claim) => {
    claim(
      'every line is a message with the batch’s id, and the end is confirmed',
      async (server) => {
        const conf = `syslog://127.0.0.1:${server.port}?transport=tcp&app=cdn&hostname=edge`;
        const lines = Array.from(
          { length: 2_000 },
          (_, n) => `{"n":${n},"t":"${'é'.repeat(n % 50)}"}`,
        );
        const batch = batchFor(conf, lines);
        const outcome = await send(conf, batch);
        assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
        let rows: string[] = [];
        for (let tries = 0; tries < 50 && rows.length < lines.length; tries += 1) {
          await sleep(100);
          const text = await readFile(`${server.folder}/out`, 'utf8').catch(() => '');
          rows = text.split('\n').filter((row) => row !== '');
        }
        assert.deepEqual(
          rows,
          lines.map((line) => `${batch.id} edge cdn ${line}`),
        );
      },
    );

    claim('a daemon that is killed in the middle is no success', async (server) => {
      const conf = `syslog://127.0.0.1:${server.port}?transport=tcp`;
      const lines = Array.from({ length: 20_000 }, (_, n) => `{"n":${n},"t":"${'x'.repeat(100)}"}`);
      server.pause();
      const sending = send(conf, batchFor(conf, lines));
      await sleep(300);
      await server.stop();
      assert.equal((await sending).kind, 'retry');
    });
  },
);
