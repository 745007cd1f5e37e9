import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch, Sender } from '../destinations/index.ts';
import { manualClock } from '../lib/clock-manual.ts';
import { silent } from '../lib/diagnostics.ts';
import { attempt, OWN_FAULT } from './attempt.ts';

const bounds = {
  clock: manualClock(),
  diagnostics: silent,
  attemptMs: 1_000,
  abortGraceMs: 100,
  stops: [],
};

function batchOf(body: readonly Buffer[]): Batch {
  return {
    id: 'p',
    job: 1,
    stream: 'zones/z/d',
    epoch: 'e',
    from: 0,
    to: 1,
    lines: 1,
    name: 'n',
    receivedMs: { first: 0, last: 0 },
    contentType: 'application/x-ndjson',
    body,
    bodyBytes: body.reduce((sum, part) => sum + part.length, 0),
    plainBytes: 3,
    sha256: '',
  };
}

test('I1: a body of which a part has lost its memory is not sent, and is tried again', async () => {
  let sent = 0;
  const sender: Sender = {
    send: () => Promise.resolve({ kind: 'accepted', receipt: String(++sent) }),
    close: () => Promise.resolve(),
  };
  const batch = batchOf([Buffer.from('head'), Buffer.allocUnsafeSlow(1_000)]);
  assert.equal((await attempt(sender, batch, bounds)).kind, 'accepted');
  (batch.body[1]!.buffer as ArrayBuffer).transfer(0);
  assert.equal(await attempt(sender, batch, bounds), OWN_FAULT);
  assert.equal(sent, 1);
});
