/** `docs/formats/snapshots.md` holds: these bytes are written, and are read for ever. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { Holdings } from './holdings.ts';
import { Journal } from './journal.ts';
import { recoverSnapshots } from './recover.ts';
import { FOLDER, account, change, depsOn } from './testing.ts';

const NAMES = ['00000001.wbs', 'head'] as const;
const golden = (name: string): URL => new URL(`./golden/v1/${name}`, import.meta.url);

async function written(): Promise<SimDisk> {
  const disk = new SimDisk({ random: seededRandom(1) });
  const held = new Holdings(7, 3);
  held.put('account', 'acme', account('acme', 'Acme, Köln'));
  held.putSecret({
    id: 'job-1',
    version: 2,
    keyId: 'feedfacefeedface',
    sealed: btoa('abc'),
  });
  const journal = await Journal.begin(depsOn(disk.files(), { changeBytesLeast: 1 << 20 }), held);
  await journal.append(change(7, 'acme', 'renamed', { reason: 'ticket 12', voice: 'document' }));
  await journal.confirm();
  const gone = { kind: 'account' as const, id: 'acme', before: null, after: null };
  await journal.append(change(8, 'acme', '', { edits: [gone], seal: [], dropSecrets: ['job-1'] }));
  await journal.confirm();
  await journal.close();
  return disk;
}

test('the format is that of the golden files', async () => {
  const disk = await written();
  for (const name of NAMES) {
    const bytes = disk.content(`${FOLDER}/${name}`)!;
    if (process.env['WAYBILL_TEST_WRITE_GOLDEN'] === '1') {
      mkdirSync(golden(''), { recursive: true });
      writeFileSync(golden(name), bytes);
    }
    assert.deepEqual(bytes.toString(), readFileSync(golden(name), 'utf8'), name);
  }
});

test('the golden files are read', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const files = disk.files();
  await files.makeDirectory(FOLDER);
  for (const name of NAMES) {
    const file = await files.open(`${FOLDER}/${name}`, 'create');
    await file.write([readFileSync(golden(name))], 0);
    await file.close();
  }
  const found = await recoverSnapshots(files, FOLDER);
  assert.ok(found.kind === 'whole', JSON.stringify(found));
  const { holdings } = found.found;
  assert.equal(holdings.version, 9);
  assert.equal(holdings.record('account', 'acme'), null);
  assert.equal(holdings.secret('job-1'), undefined);
  assert.equal(holdings.secret('s-acme')?.sealed, btoa('sealed renamed'));
});

test('a file of a newer format is not read, and what it is about is told', async () => {
  const disk = await written();
  const files = disk.files();
  const file = await files.open(`${FOLDER}/00000001.wbs`, 'write');
  const text = disk.content(`${FOLDER}/00000001.wbs`)!.toString();
  const { crc32 } = await import('node:zlib');
  const [first = '', ...rest] = text.split('\n');
  const json = first.slice(9).replace('"format":1', '"format":2');
  const crc = crc32(json).toString(16).padStart(8, '0');
  await file.write([Buffer.from([`${crc} ${json}`, ...rest].join('\n'))], 0);
  await file.close();
  const found = await recoverSnapshots(files, FOLDER);
  assert.ok(
    found.kind === 'unreadable' && /format 2, which a newer version wrote/.test(found.detail),
  );
});
