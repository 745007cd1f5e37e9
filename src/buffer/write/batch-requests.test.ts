import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOf } from '../testing.ts';
import { batchRequests } from './batch-requests.ts';
import type { Pending } from './intake.ts';

function pending(texts: readonly string[]): Pending {
  const { bytes, ends } = linesOf(texts);
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  const request = { stream: 's', account: 'a', lines: { bytes: own, ends } };
  return { request, pieces: [], ready: true, crc: 0, done() {} };
}

const limits = { blockLines: 10, blockBytes: 1_000, blockKeys: 4 };

test('small requests of a stream share a block; one that has lost its memory meanwhile is never stored', () => {
  const requests = [pending(['{"a":1}', '{"a":2}']), pending(['{"a":3}'])];
  const [batch] = batchRequests(requests, limits);
  assert.deepEqual([batch?.members.length, batch?.lines, batch?.bytes], [2, 3, 24]);
  (requests[1]!.request.lines.bytes.buffer as ArrayBuffer).transfer(0);
  assert.throws(() => batchRequests(requests, limits), /has all of its bytes/);
});
