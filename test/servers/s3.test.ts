/** The S3 destination against a server that checks what it gets: a real one where there is one, and always the stand-in. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sampleBatch } from '../../src/destinations/conformance.ts';
import { openDestination } from '../../src/destinations/index.ts';
import type { Batch, SendOutcome } from '../../src/destinations/index.ts';
import { testDialler } from './dialler.ts';
import { startS3 } from './s3.ts';
import type { RunningS3 } from './s3.ts';
import { testTools } from './scripted-rig.ts';

const dialler = testDialler();
after(() => dialler.close());

async function start(wish: 'stand-in' | 'real'): Promise<RunningS3 | { skipped: string }> {
  const before = process.env['WAYBILL_TEST_SERVERS'];
  if (wish === 'stand-in') process.env['WAYBILL_TEST_SERVERS'] = 'stand-in';
  try {
    const started = await startS3();
    if ('skipped' in started || wish === 'stand-in' || started.real) return started;
    await started.stop();
    return { skipped: started.what };
  } finally {
    if (before === undefined) delete process.env['WAYBILL_TEST_SERVERS'];
    else process.env['WAYBILL_TEST_SERVERS'] = before;
  }
}

for (const wish of ['real', 'stand-in'] as const) {
  describe(`S3: ${wish}`, () => {
    let server: RunningS3 | { skipped: string } = { skipped: 'not started' };
    before(async () => {
      server = await start(wish);
    });
    after(async () => {
      if (!('skipped' in server)) await server.stop();
    });

    interface Change {
      readonly bucket?: string;
      readonly path?: string;
      readonly region?: string;
      readonly accessKey?: string;
      readonly secretKey?: string;
      readonly batch?: Batch;
    }

    async function put(s3: RunningS3, change: Change = {}): Promise<SendOutcome> {
      const { bucket, path, region, accessKey, secretKey } = { path: 'a/{DATE}', ...s3, ...change };
      const conf =
        `s3://${bucket}/${path}?region=${region}&endpoint=${s3.endpoint}` +
        `&access-key-id=${accessKey}&secret-access-key=${encodeURIComponent(secretKey)}`;
      const sender = await openDestination(conf, testTools({ dialler, responseBytes: 65_536 }));
      try {
        return await sender.send(change.batch ?? sampleBatch(), new AbortController().signal);
      } finally {
        await sender.close();
      }
    }

    const claim = (name: string, check: (s3: RunningS3) => Promise<void>): void => {
      test(name, (context) => ('skipped' in server ? context.skip(server.skipped) : check(server)));
    };

    claim('I7: a batch and its repeat are one object with exactly the bytes', async (s3) => {
      const batch = sampleBatch(300_000);
      const outcome = await put(s3, { batch });
      assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
      assert.deepEqual(await put(s3, { batch }), outcome);
      const objects = await s3.objects();
      assert.deepEqual([...objects.keys()], [`a/20260102/${batch.name}`]);
      assert.ok(objects.get(`a/20260102/${batch.name}`)?.equals(Buffer.concat(batch.body)));
      assert.match(JSON.stringify(outcome), /s3:\/\/waybill-logs\/a\/20260102\//);
    });

    claim('a secret with characters of base64 may be written as it is', async (s3) => {
      const raw = s3.secretKey;
      const conf = `s3://${s3.bucket}/raw?region=${s3.region}&endpoint=${s3.endpoint}&access-key-id=${s3.accessKey}&secret-access-key=${raw}`;
      const sender = await openDestination(conf, testTools({ dialler }));
      assert.equal(
        (await sender.send(sampleBatch(), new AbortController().signal)).kind,
        'accepted',
      );
      await sender.close();
    });

    claim('paths with characters that need escaping arrive as they are', async (s3) => {
      for (const path of ['dt=1', 'a%20b', 'a%2Bb', 'caf%C3%A9', 'x@y', "it's(1)*~"]) {
        const outcome = await put(s3, { path });
        assert.equal(outcome.kind, 'accepted', `${path}: ${JSON.stringify(outcome)}`);
        const key = `${decodeURIComponent(path)}/${sampleBatch().name}`;
        assert.ok((await s3.objects()).has(key), key);
      }
    });

    claim('what is wrong is said in plain words', async (s3) => {
      const cases: readonly (readonly [Change, RegExp])[] = [
        [{ bucket: 'nowhere' }, /the bucket does not exist/],
        [{ secretKey: 'wrong' }, /the secret access key is wrong/],
        [{ accessKey: 'wrong' }, /the access key was not accepted/],
        [{ region: 'eu-west-9' }, /the region is wrong/],
      ];
      for (const [change, words] of cases) {
        const outcome = await put(s3, change);
        assert.equal(outcome.kind, 'retry');
        assert.match(outcome.kind === 'retry' ? outcome.reason : '', words);
      }
    });

    claim(
      'bytes that are not those that were signed are refused, and nothing is kept',
      async (s3) => {
        const batch = { ...sampleBatch(2_000, 'damaged'), sha256: 'ab'.repeat(32) };
        const outcome = await put(s3, { batch });
        assert.equal(outcome.kind, 'retry', JSON.stringify(outcome));
        assert.match(JSON.stringify(outcome), /damaged on its way/);
        assert.ok([...(await s3.objects()).keys()].every((key) => !key.includes('damaged')));
      },
    );
  });
}
