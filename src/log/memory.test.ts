import assert from 'node:assert/strict';
import { test } from 'node:test';

import { durable, logConformance, record } from './conformance.ts';
import { memoryLog, memoryStore } from './memory.ts';

const MIB = 1024 * 1024;

logConformance({
  name: 'memory',
  recordBytes: MIB,
  async withPlace(use) {
    const store = memoryStore();
    await use({
      open: async () => memoryLog({ recordBytes: MIB, capacityBytes: 16 * MIB, store }),
    });
  },
});

test('I5: a log in memory is full at its bound, and takes more when it was trimmed', async () => {
  const log = memoryLog({ recordBytes: 100, capacityBytes: 300 });
  const { end } = durable(await log.append([record('x'.repeat(100))]));
  durable(await log.append([record('x'.repeat(100))]));
  assert.equal((await log.append([record('x'.repeat(100))])).kind, 'full');
  await log.trimBefore(end);
  durable(await log.append([record('x'.repeat(100))]));
});

test('a newer opening of the same store fences the one before', async () => {
  const store = memoryStore();
  const options = { recordBytes: 100, capacityBytes: 300, store };
  const first = memoryLog(options);
  const { positions } = durable(await first.append([record('a')]));
  const second = memoryLog(options);
  assert.equal((await first.append([record('b')])).kind, 'fenced');
  assert.equal((await first.read(first.start(), 1)).kind, 'fenced');
  assert.equal((await first.readOne(positions[0]!)).kind, 'fenced');
  assert.equal((await second.readOne(positions[0]!)).kind, 'record');
});
