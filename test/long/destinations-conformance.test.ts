/**
 * The conformance suite of each destination against a server that we did not write, through a relay that cuts, stalls and talks
 * nonsense. Kafka's is in `destinations-kafka.test.ts`; of vendors there is no server to be had (`vendor-stand-ins.ts`).
 */
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { azureDestination } from '../../src/destinations/azure/index.ts';
import { clickhouseDestination } from '../../src/destinations/clickhouse/index.ts';
import { destinationConformance } from '../../src/destinations/conformance.ts';
import type { Expected } from '../../src/destinations/conformance.ts';
import { elasticsearchDestination } from '../../src/destinations/elasticsearch/index.ts';
import { gcsDestination } from '../../src/destinations/gcs/index.ts';
import { kinesisDestination } from '../../src/destinations/kinesis/index.ts';
import { lokiDestination } from '../../src/destinations/loki/index.ts';
import { otlpDestination } from '../../src/destinations/otlp/index.ts';
import { s3Destination } from '../../src/destinations/s3/index.ts';
import { syslogDestination } from '../../src/destinations/syslog/index.ts';
import { AZURE_ACCOUNT, azurite, sharedAccess } from '../servers/azurite.ts';
import { startInstalled } from '../servers/installed.ts';
import type { Running } from '../servers/installed.ts';
import {
  AZURITE,
  CLICKHOUSE,
  FAKE_GCS,
  MOTO,
  OTEL_COLLECTOR,
  RSYSLOG,
  VICTORIA_LOGS,
} from '../servers/recipes.ts';
import type { Recipe } from '../servers/recipes.ts';
import { startRelay } from '../servers/relay.ts';
import type { Relay } from '../servers/relay.ts';
import { relayedSubject } from '../servers/relayed-subject.ts';
import type { RelayedSubject } from '../servers/relayed-subject.ts';
import { startS3 } from '../servers/s3.ts';
import type { RunningS3 } from '../servers/s3.ts';

type Skipped = { readonly skipped: string };

/** Runs subjects against one server, one claim after the other: what the relay does is for all that pass it. */
function against<Server extends object>(
  name: string,
  start: () => Promise<(Server & { port: number; stop(): Promise<void> }) | Skipped>,
  subjects: (server: () => Server & { port: number }) => readonly RelayedSubject[],
): void {
  describe(name, () => {
    let server: (Server & { port: number; stop(): Promise<void> }) | Skipped;
    let relay: Relay;
    before(async () => {
      server = await start();
      relay = await startRelay();
      if (!('skipped' in server)) relay.lead(server.port);
    });
    after(async () => {
      await relay.close();
      if (!('skipped' in server)) await server.stop();
    });
    const running = (): Server & { port: number } => {
      if ('skipped' in server) throw new Error(server.skipped);
      return server;
    };
    for (const subject of subjects(running)) {
      for (const { name: claim, check } of destinationConformance(
        relayedSubject(subject, () => relay),
      ))
        test(claim, (context) => ('skipped' in server ? context.skip(server.skipped) : check()));
    }
  });
}

const installed =
  (recipe: Recipe, args: Parameters<typeof startInstalled>[1]) => (): Promise<Running | Skipped> =>
    startInstalled(recipe, args);

const rows = (text: string): readonly string[] => text.split('\n').filter((row) => row !== '');

/** What is read back comes in late. */
async function settled(read: () => Promise<readonly string[]>): Promise<readonly string[]> {
  let seen = await read();
  for (let quiet = 0; quiet < 4;) {
    await sleep(400);
    const next = await read();
    quiet = next.length === seen.length && next.length > 0 ? quiet + 1 : quiet + 0.2;
    seen = next;
  }
  return seen;
}

async function startS3Server(): Promise<
  { port: number; s3: RunningS3; stop(): Promise<void> } | Skipped
> {
  const s3 = await startS3();
  if ('skipped' in s3) return s3;
  if (!s3.real) {
    await s3.stop();
    return { skipped: s3.what };
  }
  return { port: Number(new URL(s3.endpoint).port), s3, stop: () => s3.stop() };
}

against<{ s3: RunningS3 }>('versitygw', startS3Server, (server) => [
  {
    name: 's3 on versitygw',
    kind: s3Destination,
    repeats: 'replaces',
    conf: (place, nth) =>
      `s3://waybill-logs/n${nth}/{DATE}?region=us-east-1&endpoint=https://${place}&access-key-id=waybilltest&secret-access-key=test/secret%2Bwith=signs`,
    async held(nth) {
      const objects = await server().s3.objects();
      return {
        bodies: [...objects].flatMap(([key, body]) => (key.startsWith(`n${nth}/`) ? [body] : [])),
      };
    },
    secrets: ['test/secret'],
    wrong: (conf) => conf.replace('with=signs', 'another'),
    expected: {
      'refuses the credentials': { kind: 'retry', reason: /secret access key is wrong/ },
    },
  },
]);

against(AZURITE.name, installed(AZURITE, azurite), (server) => {
  const base = () => `http://127.0.0.1:${server().port}/${AZURE_ACCOUNT}`;
  return [
    {
      name: 'azure on Azurite',
      kind: azureDestination,
      repeats: 'replaces',
      conf: (place, nth) =>
        `azure://${place}/${AZURE_ACCOUNT}/n${String(nth).padStart(3, '0')}/a?path-style=true&${sharedAccess('cw')}`,
      async make(nth) {
        const name = `n${String(nth).padStart(3, '0')}`;
        await fetch(`${base()}/${name}?restype=container&${sharedAccess('cw')}`, { method: 'PUT' });
      },
      async held(nth) {
        const container = `${base()}/n${String(nth).padStart(3, '0')}`;
        const list = await fetch(`${container}?restype=container&comp=list&${sharedAccess('rl')}`);
        const names = [...(await list.text()).matchAll(/<Name>([^<]*)<\/Name>/g)];
        const bodies = names.map(async ([, name]) => {
          const blob = await fetch(`${container}/${name}?${sharedAccess('r')}`);
          return Buffer.from(await blob.arrayBuffer());
        });
        return { bodies: await Promise.all(bodies) };
      },
      wrong: (conf) => conf.replace(/sig=[^&]+/, 'sig=AAAA'),
      expected: { 'refuses the credentials': { kind: 'retry', reason: /signature/ } },
    },
  ];
});

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** The server asks for no token; this one gives some. */
const tokens = createServer((request, answer) => {
  request.resume().on('end', () => answer.end('{"access_token":"t","expires_in":3600}'));
});
before(() => new Promise<void>((done) => void tokens.listen(0, '127.0.0.1', done)));
after(() => tokens.close());

function credentials(): string {
  const file = {
    type: 'service_account',
    client_email: 'a@b.iam.gserviceaccount.com',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    token_uri: `http://127.0.0.1:${(tokens.address() as AddressInfo | null)?.port ?? 1}/`,
  };
  return encodeURIComponent(`base64:${Buffer.from(JSON.stringify(file)).toString('base64')}`);
}

against(
  FAKE_GCS.name,
  installed(FAKE_GCS, (port, folder) => {
    const memory = ['-backend', 'memory', '-filesystem-root', folder];
    return ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), ...memory];
  }),
  (server) => {
    const api = () => `http://127.0.0.1:${server().port}/storage/v1/b`;
    return [
      {
        name: 'gs on fake-gcs-server',
        kind: gcsDestination,
        repeats: 'replaces',
        conf: (place, nth) =>
          `gs://bucket-${nth}/a?endpoint=https://${place}&credentials=${credentials()}`,
        async make(nth) {
          const headers = { 'content-type': 'application/json' };
          await fetch(api(), { method: 'POST', headers, body: `{"name":"bucket-${nth}"}` });
        },
        async held(nth) {
          const list = (await (await fetch(`${api()}/bucket-${nth}/o`)).json()) as {
            items?: { name: string }[];
          };
          const bodies = (list.items ?? []).map(async ({ name }) => {
            const url = `${api()}/bucket-${nth}/o/${encodeURIComponent(name)}?alt=media`;
            return Buffer.from(await (await fetch(url)).arrayBuffer());
          });
          return { bodies: await Promise.all(bodies) };
        },
      },
    ];
  },
);

against(
  MOTO.name,
  installed(MOTO, (port) => ['-H', '127.0.0.1', '-p', String(port)]),
  (server) => {
    const call = async (target: string, body: object): Promise<Record<string, unknown>> => {
      const answer = await fetch(`http://127.0.0.1:${server().port}`, {
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
    return [
      {
        name: 'kinesis on moto',
        kind: kinesisDestination,
        repeats: 'appends',
        conf: (place, nth) =>
          `kinesis://logs-${nth}?region=us-east-1&endpoint=https://${place}&access-key-id=K&secret-access-key=S`,
        async make(nth) {
          await call('CreateStream', { StreamName: `logs-${nth}`, ShardCount: 1 });
        },
        async held(nth) {
          const shard = { StreamName: `logs-${nth}`, ShardId: 'shardId-000000000000' };
          const from = { ...shard, ShardIteratorType: 'TRIM_HORIZON' };
          const { ShardIterator } = await call('GetShardIterator', from);
          const { Records } = (await call('GetRecords', { ShardIterator })) as {
            Records: { Data: string }[];
          };
          return { bodies: Records.map(({ Data }) => Buffer.from(Data, 'base64')) };
        },
        largestBytes: 900_000,
        expected: {
          'takes nothing': { notHere: 'a record is smaller than the buffers on the way' },
        },
      },
    ];
  },
);

against(
  CLICKHOUSE.name,
  installed(CLICKHOUSE, (port, folder) => [
    new URL('../servers/clickhouse-front.py', import.meta.url).pathname,
    String(port),
    `${folder}/data`,
  ]),
  (server) => {
    const sql = async (query: string): Promise<string> => {
      const url = `http://127.0.0.1:${server().port}/?query=${encodeURIComponent(query)}`;
      const headers = { 'x-clickhouse-user': 'waybill', 'x-clickhouse-key': 'open sesame' };
      return (await fetch(url, { method: 'POST', headers, body: '' })).text();
    };
    return [
      {
        name: 'clickhouse on chdb',
        kind: clickhouseDestination,
        repeats: 'appends',
        conf: (place, nth) =>
          `clickhouse://${place}/?table=t${nth}&user=waybill&password=open%20sesame`,
        async make(nth) {
          await sql(`CREATE TABLE t${nth} (RayID String) ENGINE = MergeTree ORDER BY tuple()`);
        },
        async held(nth) {
          const found = rows(await sql(`SELECT RayID FROM t${nth}`));
          // The engine writes `\\/` for a slash.
          return { lines: found.map((row) => JSON.stringify(JSON.parse(row))) };
        },
        secrets: ['open sesame'],
        wrong: (conf) => conf.replace('sesame', 'wrong'),
        expected: { 'refuses the credentials': { kind: 'retry', reason: /user or password/ } },
      },
    ];
  },
);

const SILENT: Expected = { notHere: 'syslog has no answers' };

against(
  RSYSLOG.name,
  installed(RSYSLOG, async (port, folder, home) => {
    const conf = [
      'global(maxMessageSize="64k" processInternalMessages="off")',
      'module(load="imtcp")',
      `input(type="imtcp" port="${port}" address="127.0.0.1")`,
      'template(name="seen" type="string" string="%APP-NAME% %msg%\\n")',
      `action(type="omfile" file="${folder}/out" template="seen")`,
    ];
    await writeFile(`${folder}/rsyslog.conf`, `${conf.join('\n')}\n`);
    const modules = `${home}/usr/lib/x86_64-linux-gnu/rsyslog`;
    return ['-n', '-f', `${folder}/rsyslog.conf`, '-i', `${folder}/pid`, '-M', modules];
  }),
  (server) => [
    {
      name: 'syslog on rsyslog',
      kind: syslogDestination,
      repeats: 'appends',
      conf: (place, nth) => `syslog://${place}?app=n${nth}`,
      async held(nth) {
        const { folder } = server() as Running;
        const own = `n${nth} `;
        const read = async () => {
          const all = rows(await readFile(`${folder}/out`, 'utf8').catch(() => ''));
          return all.flatMap((row) => (row.startsWith(own) ? [row.slice(own.length)] : []));
        };
        return { lines: await settled(read) };
      },
      expected: {
        'takes the batch and its answer is lost': SILENT,
        'answers nonsense': { kind: 'retry', reason: /closed|cut/ },
        'answers endlessly': SILENT,
        'says nothing': { kind: 'retry', reason: /did not end the connection/ },
      },
    },
  ],
);

against(
  OTEL_COLLECTOR.name,
  installed(OTEL_COLLECTOR, async (port, folder) => {
    const conf = [
      'receivers:',
      `  otlp: { protocols: { http: { endpoint: "127.0.0.1:${port}" } } }`,
      'exporters:',
      `  file: { path: "${folder}/out.json", flush_interval: 100ms }`,
      'service:',
      '  telemetry: { metrics: { level: none } }',
      '  pipelines: { logs: { receivers: [otlp], exporters: [file] } }',
    ];
    await writeFile(`${folder}/conf.yaml`, `${conf.join('\n')}\n`);
    return ['--config', `file:${folder}/conf.yaml`];
  }),
  (server) => [
    {
      name: 'otlp on the OpenTelemetry Collector',
      kind: otlpDestination,
      repeats: 'appends',
      conf: (place) => `otlp://${place}/v1/logs?resource_via=waybill`,
      // The body is the same for all rigs: each has what comes behind the rows that were there before.
      async make(nth) {
        await sleep(500);
        seenBefore.set(nth, (await exported(server() as Running)).length);
      },
      held: async (nth) => ({
        lines: await settled(async () =>
          (await exported(server() as Running)).slice(seenBefore.get(nth)),
        ),
      }),
    },
  ],
);

interface Exported {
  readonly scopeLogs: { logRecords: { body: { stringValue: string } }[] }[];
}

const seenBefore = new Map<number, number>();

/** Every line that the collector has written so far. */
async function exported({ folder }: Running): Promise<readonly string[]> {
  const text = await readFile(`${folder}/out.json`, 'utf8').catch(() => '');
  const whole = rows(text.slice(0, text.lastIndexOf('\n') + 1));
  return whole
    .flatMap((row) => (JSON.parse(row) as { resourceLogs: Exported[] }).resourceLogs)
    .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
    .map(({ body }) => body.stringValue);
}

against(
  VICTORIA_LOGS.name,
  installed(VICTORIA_LOGS, (port, folder) => [
    `-httpListenAddr=127.0.0.1:${port}`,
    `-storageDataPath=${folder}/data`,
    '-retentionPeriod=10y',
  ]),
  (server) => {
    const find = async (
      text: string,
      tenant: number,
    ): Promise<readonly Record<string, string>[]> => {
      const url = `http://127.0.0.1:${server().port}/select/logsql/query?limit=100000&query=${encodeURIComponent(text)}`;
      const answer = await fetch(url, { headers: { accountid: String(tenant) } });
      const found = await answer.text();
      return rows(found).map((row) => JSON.parse(row) as Record<string, string>);
    };
    const messages =
      (query: string, tenant = 0) =>
      async (): Promise<readonly string[]> =>
        (await find(query, tenant)).map(({ _msg = '' }) => _msg);
    return [
      {
        name: 'elasticsearch on VictoriaLogs',
        kind: elasticsearchDestination,
        repeats: 'appends',
        conf: (place, nth) =>
          `elasticsearch://${place}/insert/elasticsearch?index=logs&_msg_field=RayID&extra_fields=rig=e${nth}`,
        held: async (nth) => ({
          lines: (await settled(messages(`rig:e${nth}`))).map((ray) => `{"RayID":"${ray}"}`),
        }),
      },
      {
        name: 'loki on VictoriaLogs',
        kind: lokiDestination,
        repeats: 'appends',
        conf: (place, nth) =>
          // Labels stand in the body, which is the same for all rigs: each has a tenant of its own.
          `loki://${place}/insert/loki/api/v1/push?label_via=loki&disable_message_parsing=1&header_AccountID=${nth}`,
        held: async (nth) => ({ lines: await settled(messages('via:loki', nth)) }),
      },
    ];
  },
);
