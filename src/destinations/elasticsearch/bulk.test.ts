import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleBatch } from '../conformance.ts';
import { frameLines, hasProblems, parseDestination } from '../index.ts';
import { judgeBulk } from './bulk.ts';

const NOW = Date.UTC(2026, 0, 1);

const item = (status: number, type?: string) => ({
  create: { status, ...(type === undefined ? {} : { error: { type } }) },
});

function judge(items: readonly object[], errors = true, lines = items.length, cut = Infinity) {
  const body = Buffer.from(JSON.stringify({ errors, items })).subarray(0, cut);
  const batch = { ...sampleBatch(), lines };
  return judgeBulk({ kind: 'answer', status: 200, headers: {}, body }, batch, NOW);
}

describe('an answer of _bulk', () => {
  test('without errors is accepted, also when it is cut behind that', () => {
    assert.equal(judge([item(201)], false)?.kind, 'accepted');
    assert.equal(judge([item(201)], false, 1, 30)?.kind, 'accepted');
  });

  test('with some lines refused names exactly those', () => {
    const outcome = judge([
      item(201),
      item(400, 'document_parsing_exception'),
      item(409),
      item(400),
    ]);
    assert.ok(outcome?.kind === 'partial');
    assert.deepEqual(outcome.refused, [1, 3]);
    assert.match(outcome.reason, /2 of 4 lines.*document_parsing_exception/);
  });

  test('with every line refused is a reject: nothing shows that others pass', () => {
    assert.equal(judge([item(400), item(400)])?.kind, 'reject');
  });

  test('with lines that stand there already is accepted: an earlier attempt brought them', () => {
    assert.equal(
      judge([item(409, 'version_conflict_engine_exception'), item(201)])?.kind,
      'accepted',
    );
  });

  test('with any line put off is a retry of all: those taken are found again', () => {
    for (const status of [401, 403, 404, 429, 500, 503, 999]) {
      const outcome = judge([item(201), item(400), item(status)]);
      assert.equal(outcome?.kind, 'retry', String(status));
    }
    assert.equal(judge([item(400, 'index_closed_exception'), item(201)])?.kind, 'retry');
  });

  test('that cannot be read, or speaks of other lines, settles nothing', () => {
    assert.equal(judge([item(400), item(201)], true, 2, 40)?.kind, 'retry');
    assert.equal(judge([item(400)], true, 2)?.kind, 'retry');
    assert.equal(judge([{ odd: 1 }, item(201)])?.kind, 'retry');
    const body = Buffer.from('<html>login</html>');
    const page = judgeBulk({ kind: 'answer', status: 200, headers: {}, body }, sampleBatch(), NOW);
    assert.equal(page?.kind, 'retry');
  });
});

test('a body of _bulk has an action before each line, with an id of its own', () => {
  const parsed = parseDestination('elasticsearch://x/logs', { allowHttp: false, fileRoots: [] });
  assert.ok(!hasProblems(parsed) && parsed.framing);
  const line = { job: 7, epoch: 'e', receivedMs: 0, bytes: Buffer.from('{"a":1}') };
  const lines = [4, 5].map((offset) => ({ ...line, offset }));
  assert.equal(
    frameLines(parsed.framing, lines).toString(),
    '{"create":{"_id":"7-e-4"}}\n{"a":1}\n{"create":{"_id":"7-e-5"}}\n{"a":1}\n',
  );
});
