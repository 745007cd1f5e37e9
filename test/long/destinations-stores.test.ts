/** Stores that we did not write: Azurite, fake-gcs-server, moto. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { sampleBatch } from '../../src/destinations/conformance.ts';
import { AZURE_ACCOUNT, azurite, sharedAccess } from '../servers/azurite.ts';
import type { Running } from '../servers/installed.ts';
import { send, withServer } from '../servers/real.ts';
import { AZURITE, FAKE_GCS, MOTO } from '../servers/recipes.ts';

describe(AZURITE.name, () => {
  withServer(AZURITE, azurite, (claim) => {
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
  });

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
});

const KEYS = 'access-key-id=K&secret-access-key=S';

describe(MOTO.name, () => {
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
});
