import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { testDialler } from '../../../test/servers/dialler.ts';
import { startScriptedReceiver } from '../../../test/servers/scripted-http.ts';
import type { ScriptedReceiver } from '../../../test/servers/scripted-http.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import { VERSION } from '../../lib/version.ts';
import { retryAfterMs } from '../answer.ts';
import { sampleBatch } from '../conformance.ts';
import type { Sender } from '../destination.ts';
import { ANSWERS, answerFor } from '../web-answer.ts';
import { httpDestination } from './index.ts';

const going = new AbortController().signal;

async function withReceiver(
  query: string,
  use: (receiver: ScriptedReceiver, sender: Sender) => Promise<void>,
  tools: { readonly stallMs?: number } = {},
): Promise<void> {
  const receiver = await startScriptedReceiver();
  const dialler = testDialler();
  const conf = `http://receiver.test:${receiver.port}/in/a${query}`;
  const sender = await httpDestination.open(conf, testTools({ ...tools, dialler }));
  try {
    await use(receiver, sender);
  } finally {
    await sender.close();
    dialler.close();
    await receiver.close();
  }
}

describe('http', () => {
  test('a batch is one POST that says what it is', async () => {
    await withReceiver(
      '?header_Authorization=Basic%20a+b&ddsource=x%20y&n',
      async (receiver, sender) => {
        const batch = sampleBatch();
        receiver.script({ do: 'answer', status: 202, headers: { 'x-request-id': 'r-1' } });
        const outcome = await sender.send(batch, going);
        assert.deepEqual(outcome, {
          kind: 'accepted',
          receipt: 'status 202 x-request-id r-1',
          status: 202,
        });
        const [request] = receiver.received;
        assert.ok(request);
        assert.equal(request.method, 'POST');
        assert.equal(request.path, '/in/a?ddsource=x%20y&n', 'header_* are not part of the URL');
        const { headers } = request;
        assert.equal(headers['host'], `receiver.test:${receiver.port}`);
        assert.equal(headers['authorization'], 'Basic a b');
        assert.equal(headers['content-type'], 'application/x-ndjson');
        assert.equal(headers['content-encoding'], 'gzip');
        assert.equal(headers['content-length'], String(batch.bodyBytes));
        assert.equal(headers['user-agent'], `Waybill/${VERSION}`);
        assert.equal(headers['idempotency-key'], batch.id);
        assert.equal(headers['waybill-batch-id'], batch.id);
        assert.equal(headers['waybill-job'], '7');
        assert.equal(headers['waybill-stream'], batch.stream);
        assert.equal(headers['waybill-lines'], String(batch.lines));
        assert.equal(headers['waybill-offsets'], `${batch.epoch}:0-${batch.to}`);
        assert.equal(headers['transfer-encoding'], undefined);
        assert.equal(gunzipSync(request.body).length, batch.plainBytes);
      },
    );
  });

  test('the servers that a batch passed through are named, this one first', async () => {
    const receiver = await startScriptedReceiver();
    const dialler = testDialler();
    const via = ({ from, to }: { from: number; to: number }) => ['me', `${from}-${to}`];
    const conf = `http://receiver.test:${receiver.port}/`;
    const sender = await httpDestination.open(conf, testTools({ dialler, via }));
    const batch = sampleBatch();
    await sender.send(batch, going);
    assert.equal(receiver.received[0]?.headers['waybill-via'], `me, 0-${batch.to}`);
    dialler.close();
    await receiver.close();
  });

  test('a header of the customer replaces the content type', async () => {
    await withReceiver('?header_Content-Type=application/json', async (receiver, sender) => {
      await sender.send(sampleBatch(), going);
      assert.equal(receiver.received[0]?.headers['content-type'], 'application/json');
    });
  });

  test('a signature is that of Standard Webhooks, over the bytes as sent', async () => {
    const key = Buffer.alloc(24, 5);
    const query = `?webhook-secret=whsec_${encodeURIComponent(key.toString('base64'))}&a=1`;
    await withReceiver(query, async (receiver, sender) => {
      const batch = sampleBatch();
      assert.equal((await sender.send(batch, going)).kind, 'accepted');
      const [request] = receiver.received;
      assert.ok(request);
      assert.equal(request.path, '/in/a?a=1');
      const {
        'webhook-id': id,
        'webhook-timestamp': at,
        'webhook-signature': said,
      } = request.headers;
      assert.equal(id, batch.id);
      assert.match(at ?? '', /^\d{10}$/);
      const made = createHmac('sha256', key).update(`${id}.${at}.`).update(request.body);
      assert.equal(said, `v1,${made.digest('base64')}`);
    });
  });

  test('fifty batches go over one connection', async () => {
    await withReceiver('', async (receiver, sender) => {
      for (let n = 0; n < 50; n += 1) {
        assert.equal((await sender.send(sampleBatch(500, `b${n}`), going)).kind, 'accepted');
      }
      assert.equal(receiver.received.length, 50);
      assert.equal(receiver.connections(), 1);
    });
  });

  test('a kept connection that the receiver closed meanwhile costs no attempt', async () => {
    await withReceiver('', async (receiver, sender) => {
      await sender.send(sampleBatch(500, 'a'), going);
      // What a receiver does that closes idle connections just when the next request comes.
      receiver.script({ do: 'cut', when: 'before the body' }, { do: 'answer', status: 200 });
      assert.equal((await sender.send(sampleBatch(500, 'b'), going)).kind, 'accepted');
      assert.equal(receiver.connections(), 2);
    });
  });

  test('an endless head is not read to its end', async () => {
    await withReceiver('', async (receiver, sender) => {
      receiver.script({ do: 'answer with an endless head' });
      const outcome = await sender.send(sampleBatch(), going);
      assert.equal(outcome.kind, 'retry');
      assert.match(outcome.kind === 'retry' ? outcome.reason : '', /not valid HTTP/);
    });
  });

  test('a receiver that is never quite silent is not waited for: a head byte by byte, or a body', async () => {
    await withReceiver(
      '',
      async (receiver, sender) => {
        receiver.script({ do: 'trickle', what: 'head', everyMs: 20 });
        const slow = await sender.send(sampleBatch(), going);
        assert.match(slow.kind === 'retry' ? slow.reason : '', /nothing moved|took too long/);
        receiver.script({ do: 'trickle', what: 'body', everyMs: 20 });
        assert.equal((await sender.send(sampleBatch(500, 'b'), going)).kind, 'accepted');
      },
      { stallMs: 300 },
    );
  });

  test('an answer that is a gzip bomb is never unpacked', async () => {
    await withReceiver('', async (receiver, sender) => {
      const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
      const headers = { 'content-encoding': 'gzip', 'x-request-id': 'r' };
      receiver.script({ do: 'answer', status: 200, headers, body: bomb });
      const before = process.memoryUsage().arrayBuffers;
      const outcome = await sender.send(sampleBatch(), going);
      assert.deepEqual(outcome, {
        kind: 'accepted',
        receipt: 'status 200 x-request-id r',
        status: 200,
      });
      assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
    });
  });

  test('a success that comes before the whole batch went out is none', async () => {
    await withReceiver('', async (receiver, sender) => {
      receiver.script({ do: 'answer early', status: 200 });
      const outcome = await sender.send(sampleBatch(20_000_000), going);
      assert.equal(outcome.kind, 'retry');
      assert.match(outcome.kind === 'retry' ? outcome.reason : '', /before it had the whole batch/);
    });
  });

  test('every status means something', () => {
    const meaning = (status: number): string => answerFor(status).kind;
    for (let status = 100; status < 1_000; status += 1) assert.ok(answerFor(status).words !== '');
    for (const status of [200, 201, 202, 204, 299]) assert.equal(meaning(status), 'accepted');
    for (const status of [400, 415, 422]) assert.equal(meaning(status), 'reject');
    assert.equal(meaning(413), 'split');
    for (const status of [
      100, 301, 307, 401, 403, 404, 408, 409, 410, 425, 429, 500, 503, 599, 600,
    ]) {
      assert.equal(meaning(status), 'retry');
    }
    assert.ok(ANSWERS.length < 20);
  });
});

test('Retry-After is read in both forms, and bounded', () => {
  const now = Date.UTC(2026, 0, 1);
  const read = (text?: string): number | undefined => retryAfterMs(text, now, 3_600_000);
  assert.equal(read('120'), 120_000);
  assert.equal(read(' 0 '), 0);
  assert.equal(read('Thu, 01 Jan 2026 00:01:00 GMT'), 60_000);
  assert.equal(read('Wed, 31 Dec 2025 00:00:00 GMT'), 0);
  assert.equal(read('99999999'), 3_600_000);
  assert.equal(read('soon'), undefined);
  assert.equal(read('-5'), undefined);
  assert.equal(read(undefined), undefined);
});
