import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Snapshot } from '../../model/snapshot.ts';
import { shareTexts } from './shared-texts.ts';

const job = (n: number): Snapshot['jobs'][number] => ({
  id: n,
  name: `all of zone-${n}`,
  account: `account-${n}`,
  scope: { kind: 'zone', id: `zone-${n}` },
  dataset: 'http_requests',
  stream: `zones/zone-${n}/http_requests`,
  enabled: true,
  destinationConf: `https://receiver.example/${n}`,
  filter: '',
  outputOptions: { field_names: ['ZoneName'] },
  maxUploadBytes: 0,
  maxUploadRecords: 0,
  maxUploadIntervalMs: 0,
  contentVersion: 1,
  version: n,
});
const ids = Array.from({ length: 20_000 }, (_, n) => n);
const snapshot: Snapshot = {
  version: 7,
  accounts: ids.map((n) => ({ id: `account-${n}`, name: `Shop ${n}`, ambientCredentials: false })),
  zones: ids.map((n) => ({ id: `zone-${n}`, account: `account-${n}`, name: `zone-${n}.example` })),
  datasets: [],
  jobs: ids.map(job),
  replays: [{ ...job(1), id: 99_999, replay: { of: 1, epoch: 'e', from: 0, to: 5 } }],
  tokens: [{ id: 'all', hash: 'h', scopes: 'all' }],
};

test('a snapshot with shared texts says the same', () => {
  const came = structuredClone(snapshot);
  shareTexts(came);
  assert.deepEqual(came, snapshot);
});

test('texts that stand in many places are kept once', async () => {
  const before = await heapAfter(false);
  const after = await heapAfter(true);
  // Two of three ids of an account, one of two of a zone, and the dataset: 24 to 32 bytes each.
  const saved = (before - after) / ids.length;
  assert.ok(saved > 80, `${saved} bytes a job`);
});

/** Live bytes of a thread's heap that holds the snapshot, as it came by message. */
async function heapAfter(shared: boolean): Promise<number> {
  const script = `
    import { parentPort } from 'node:worker_threads';
    import { setFlagsFromString } from 'node:v8';
    import { runInNewContext } from 'node:vm';
    import { shareTexts } from ${JSON.stringify(new URL('shared-texts.ts', import.meta.url).href)};
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    parentPort.once('message', (snapshot) => {
      if (${shared}) shareTexts(snapshot);
      setImmediate(() => {
        collect();
        parentPort.postMessage(process.memoryUsage().heapUsed);
        globalThis.held = snapshot;
      });
    });`;
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
  thread.postMessage(snapshot);
  try {
    return await new Promise((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
    });
  } finally {
    await thread.terminate();
  }
}
