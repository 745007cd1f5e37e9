/** Receivers of logs that we did not write: VictoriaLogs, the OpenTelemetry Collector, ClickHouse's engine. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchFor, send, withServer } from '../servers/real.ts';
import { CLICKHOUSE, OTEL_COLLECTOR, VICTORIA_LOGS } from '../servers/recipes.ts';

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

describe(VICTORIA_LOGS.name, () => {
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
});

describe(OTEL_COLLECTOR.name, () => {
  withServer(
    OTEL_COLLECTOR,
    async (port, folder) => {
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
    },
    (claim) => {
      claim(
        'otlp: every line is a record’s body as it was, at a time of its own',
        async (server) => {
          const conf = `otlp://127.0.0.1:${server.port}/v1/logs?tls=false&resource_service.name=cdn`;
          const lines = Array.from(
            { length: 3_000 },
            (_, n) => `{"n":${n},"t":"é \\"${n}\\" \\t"}`,
          );
          const outcome = await send(conf, batchFor(conf, lines));
          assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
          const records = (await collected(server.folder, lines.length)) as LogRecord[];
          assert.deepEqual(
            records.map(({ body }) => body.stringValue),
            lines,
          );
          assert.equal(new Set(records.map(({ timeUnixNano }) => timeUnixNano)).size, lines.length);
        },
      );

      claim('otlp: what the collector cannot read is refused as such', async ({ port }) => {
        const conf = `otlp://127.0.0.1:${port}/v1/logs?tls=false`;
        const body = Buffer.from('{"resourceLogs":[{');
        const batch = batchFor(conf, LINES);
        const outcome = await send(conf, { ...batch, body: [body], encoding: 'identity' });
        assert.equal(outcome.kind, 'reject', JSON.stringify(outcome));
        const nowhere = `otlp://127.0.0.1:${port}/other/v1/logs?tls=false`;
        assert.equal((await send(nowhere, batch)).kind, 'retry');
      });
    },
  );
});

interface LogRecord {
  readonly body: { readonly stringValue: string };
  readonly timeUnixNano: string;
}

async function collected(folder: string, least: number): Promise<readonly unknown[]> {
  for (let tries = 0; tries < 100; tries += 1) {
    const text = await readFile(join(folder, 'out.json'), 'utf8').catch(() => '');
    const rows = text.split('\n').filter((row) => row !== '');
    const records = rows.flatMap((row) => {
      const { resourceLogs } = JSON.parse(row) as {
        resourceLogs: { scopeLogs: { logRecords: unknown[] }[] }[];
      };
      return resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap((each) => each.logRecords));
    });
    if (records.length >= least) return records;
    await sleep(100);
  }
  return [];
}

describe(CLICKHOUSE.name, () => {
  withServer(
    CLICKHOUSE,
    (port, folder) => [
      join(import.meta.dirname, '../servers/clickhouse-front.py'),
      String(port),
      `${folder}/data`,
    ],
    (claim) => {
      const LOGIN = { 'x-clickhouse-user': 'waybill', 'x-clickhouse-key': 'open sesame' };
      const sql = async (port: number, query: string): Promise<string> => {
        const url = `http://127.0.0.1:${port}/?query=${encodeURIComponent(query)}`;
        const answer = await fetch(url, { method: 'POST', headers: LOGIN, body: '' });
        return (await answer.text()).trim();
      };
      const confFor = (port: number, table: string, more = ''): string =>
        `clickhouse://127.0.0.1:${port}/?tls=false&table=${table}&user=waybill&password=open%20sesame${more}`;
      const put = async (conf: string, lines: readonly string[]) =>
        await send(conf, batchFor(conf, lines));

      claim('clickhouse: lines become rows, numbers with every digit', async ({ port }) => {
        await sql(port, 'CREATE TABLE t (n UInt64, t String) ENGINE = MergeTree ORDER BY n');
        const lines = ['{"n":1732000000123456789,"t":"é \\"q\\" \\u0009"}', '{"n":2,"t":""}'];
        const outcome = await put(confFor(port, 't'), lines);
        assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
        const rows = await sql(port, 'SELECT toString(n) AS n, t FROM t ORDER BY t.n');
        assert.deepEqual(
          rows.split('\n').map((row) => JSON.parse(row) as unknown),
          [
            { n: '2', t: '' },
            { n: '1732000000123456789', t: 'é "q" \t' },
          ],
        );
      });

      claim(
        'clickhouse: each mistake gets the engine’s own code, in plain words',
        async (server) => {
          const { port } = server;
          await sql(port, 'CREATE TABLE u (n UInt64) ENGINE = MergeTree ORDER BY n');
          const say = async (conf: string, lines: readonly string[]): Promise<string> =>
            JSON.stringify(await put(conf, lines));
          assert.match(await say(confFor(port, 'nowhere'), ['{"n":1}']), /"retry".*code 60: /);
          assert.match(
            await say(confFor(port, 'u'), ['{"n":"x"}']),
            /"reject".*cannot be read as a row/,
          );
          assert.match(
            await say(confFor(port, 'u', '&input_format_skip_unknown_fields=0'), ['{"n":1,"z":2}']),
            /code 117: /,
          );
          const lax = confFor(port, 'u', '&input_format_skip_unknown_fields=1');
          assert.match(await say(lax, ['{"n":1,"z":2}']), /"accepted"/);
          const wrong = confFor(port, 'u').replace('open%20sesame', 'wrong');
          assert.match(await say(wrong, ['{"n":1}']), /"retry".*user or password/);
          assert.match(
            await say(confFor(port, 'u', '&no_such_setting=1'), ['{"n":1}']),
            /code 115: /,
          );
        },
      );
    },
  );
});
