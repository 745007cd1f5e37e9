import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppendRequest, AppendResult } from '../../buffer/index.ts';
import { silent } from '../../lib/diagnostics.ts';
import { storeHanded } from './handed-lines.ts';
import type { HandedLinesDeps } from './handed-lines.ts';

const request: AppendRequest = {
  stream: 'zones/z/d',
  account: 'a',
  lines: { bytes: Buffer.from('{}\n'), ends: new Uint32Array([3]) },
};
const STORED: AppendResult = {
  kind: 'stored',
  epoch: 'e',
  range: { from: 0, to: 1 },
  repeat: false,
};

function shardWith(over: Partial<HandedLinesDeps> = {}, waitMs = 0, opened?: Promise<boolean>) {
  const appended: AppendRequest[] = [];
  const noted: unknown[] = [];
  const deps: HandedLinesDeps = {
    shard: () => ({
      buffer: {
        append: async (one) => {
          appended.push(one);
          return STORED;
        },
      },
      delivery: { opened: () => opened },
      ingest: { admitHanded: () => waitMs },
      passedThrough: { note: (...args) => void noted.push(args) },
    }),
    wants: () => true,
    inForce: async () => {},
    diagnostics: silent,
    ...over,
  };
  return { store: () => storeHanded(deps, request, ['w']), appended, noted };
}

test('lines of another shard are stored, and the servers that they came through are noted with their offsets', async () => {
  const { store, appended, noted } = shardWith();
  assert.deepEqual(await store(), STORED);
  assert.deepEqual(appended, [request]);
  assert.deepEqual(noted, [['zones/z/d', { from: 0, to: 1 }, ['w']]]);
});

test('I3: no line is stored before the configuration that wants it is in force here, with the cursor that keeps it', async () => {
  let wanted = false;
  const apply = async () => void (wanted = true);
  const behind = shardWith({ wants: () => wanted, inForce: apply });
  assert.deepEqual(await behind.store(), STORED);
  const never = shardWith({ wants: () => false });
  const result = await never.store();
  assert.ok(result.kind === 'refused' && result.reason === 'starting');
  assert.deepEqual(never.appended, []);
});

test('I3: no line is stored before a job whose cursor the disk refused at first', async () => {
  const refused = shardWith({}, 0, Promise.resolve(false));
  const result = await refused.store();
  assert.ok(result.kind === 'refused' && result.reason === 'not_durable');
  assert.deepEqual(refused.appended, []);
  assert.deepEqual(await shardWith({}, 0, Promise.resolve(true)).store(), STORED);
});

test('a shard that takes no lines yet, or none of this account just now, says so', async () => {
  const reasonOf = async ({ store, appended }: ReturnType<typeof shardWith>) => {
    const result = await store();
    assert.deepEqual(appended, []);
    return result.kind === 'refused' && result.reason;
  };
  assert.equal(await reasonOf(shardWith({ shard: () => undefined })), 'starting');
  assert.equal(await reasonOf(shardWith({}, 500)), 'over_fair_share');
});
