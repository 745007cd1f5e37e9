import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileContent } from './content/index.ts';
import type { Content, ReceiverDescription } from './contract.ts';
import { goesApart, prepareWhere } from './prepare-where.ts';
import type { Shape } from './prepare-where.ts';
import type { PrepareTools } from './prepare.ts';
import { MemoryBuffer } from './testing/memory-buffer.ts';

const EPOCH = '00000000000000e1';
const projected = compileContent(
  { filter: '', outputOptions: { field_names: ['a'] } },
  undefined,
  EPOCH,
);
const LIMITS = {
  apartBytes: 1_000,
  apartAgainBytes: 500,
  smallBlockBytes: 100,
  sparingBlockBytes: 50,
};
const framed: ReceiverDescription = {
  fingerprint: '',
  framing: {
    contentType: 'application/json',
    prefix: '[',
    suffix: ']',
    before: [],
    after: [],
    delimiter: ',',
    line: 'as it is',
  },
};

test('a large batch that is made anew goes to the other thread, and nothing else does', () => {
  const apart = async () => ({ kind: 'failed', detail: 'not asked for' }) as const;
  const where = { apart, limits: LIMITS };
  const goes = (content: Content, plainBytes: number, receiver?: ReceiverDescription): boolean =>
    goesApart({ content, plainBytes, ...(receiver && { receiver }) }, where);
  assert.equal(goes(projected, 1_000), true);
  assert.equal(goes('whole', 1_000, framed), true);
  assert.equal(goes(projected, 999), false, 'small');
  assert.equal(goes('whole', 1e9), false, 'copied');
  const blocks = (count: number, more?: Partial<Shape>): boolean =>
    goesApart({ content: 'whole', plainBytes: 1_000, blocks: count, ...more }, where);
  assert.equal(blocks(11), true, 'of small blocks');
  assert.equal(blocks(10), false, 'of large ones');
  assert.equal(blocks(11, { sparing: true }), false, 'of such as are copied as well just now');
  assert.equal(blocks(21, { sparing: true }), true);
  assert.equal(blocks(1, { plainBytes: 600 }), false, 'one is copied however small it is');
  assert.equal(blocks(100, { plainBytes: 499 }), false, 'little');
  assert.equal(blocks(100, { receiver: { fingerprint: '', encoding: 'identity' } }), false);
  assert.equal(goes('whole', 1e9, { fingerprint: '', encoding: 'identity' }), false);
  assert.ok(projected !== 'whole');
  const { recipe: _, ...untold } = projected;
  const other = { ...untold, encode: projected.encode.bind(projected) };
  assert.equal(goes(other, 1e9), false, 'it does not say what it was compiled from');
  assert.equal(
    goesApart({ content: projected, plainBytes: 1e9 }, { ...where, apart: undefined }),
    false,
    'there is no other thread',
  );
});

test('without another thread a large batch is prepared here', async () => {
  const buffer = new MemoryBuffer();
  buffer.add('s', ['{"a":1,"b":2}'], 0);
  const tools: PrepareTools = {
    buffer,
    inflate: async ({ stored }) => stored,
    deflate: async (plain) => ({ bytes: plain, plainCrc: 0, plainBytes: plain.length }),
    inTurn: async (piece) => piece(),
    limits: {
      smallBlockBytes: 0,
      sparingBlockBytes: 0,
      turnBytes: 1_000,
      malformedPerBatch: 0,
      batchBytes: 1e9,
    },
  };
  const request = { stream: 's', range: { from: 0, to: 1 }, pinned: true, content: projected };
  const asked: string[] = [];
  const apart = async () => {
    asked.push('apart');
    return { kind: 'failed', detail: '' } as const;
  };
  const made = await prepareWhere(request, { plainBytes: 1e9 }, tools, {
    apart: undefined,
    limits: LIMITS,
  });
  assert.equal(made.kind, 'batch');
  await prepareWhere(request, { plainBytes: 1e9 }, tools, { apart, limits: LIMITS });
  await prepareWhere(request, { plainBytes: 999 }, tools, { apart, limits: LIMITS });
  assert.deepEqual(asked, ['apart']);
});
