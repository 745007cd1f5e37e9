/** The checksums of a snapshot file, against their obvious form: a hash for each object as it is written, summed anew each time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeAll } from '../../lib/fs/file-system.ts';
import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { addHash, checksumText, objectHash, secretHash } from '../store/checksum.ts';
import type { AccountRecord } from '../store/records.ts';
import { Holdings } from './holdings.ts';
import { encodeLine, sealedFromForm } from './line.codec.ts';
import type { ChangeLine } from './line.codec.ts';
import { readSnapshotFile } from './read-file.ts';
import { account } from './testing.ts';

/** As an older version wrote it: without what has a default now. */
function former(id: string, name: string): object {
  return { id, name, ambientCredentials: false, createdMs: 0 };
}

interface Edit {
  readonly id: string;
  readonly name: string;
  readonly form: 'own' | 'former' | 'gone';
}

const edit: fc.Arbitrary<Edit> = fc.record({
  id: fc.constantFrom('a', 'b', 'c'),
  name: fc.string({ maxLength: 5 }),
  form: fc.constantFrom('own', 'former', 'gone'),
});

const written = ({ id, name, form }: Edit): object | null => {
  if (form === 'gone') return null;
  return form === 'own' ? account(id, name) : former(id, name);
};

class Obvious {
  readonly records = new Map<string, object>();
  readonly secrets = new Map<string, { version: number; keyId: string; sealed: string }>();

  sum(): string {
    let sum = 0n;
    for (const [id, record] of this.records)
      sum = addHash(sum, objectHash(`account/${id}`, JSON.stringify(record)));
    for (const [id, form] of this.secrets) sum = addHash(sum, secretHash(sealedFromForm(id, form)));
    return checksumText(sum);
  }

  put(id: string, record: object | null): void {
    if (record) this.records.set(id, record);
    else this.records.delete(id);
  }
}

/** A file of these lines, and what reading it gives. */
async function read(lines: readonly Buffer[]) {
  const files = new SimDisk({ random: seededRandom(1) }).files();
  const file = await files.open('/file', 'create');
  await writeAll(file, [Buffer.concat(lines)], 0);
  return await readSnapshotFile(file);
}

function changeLine(version: number, edits: readonly Edit[], sum: () => string): ChangeLine {
  return {
    version,
    atMs: 0,
    who: '',
    address: null,
    what: '',
    voice: null,
    reason: null,
    nextJob: 1,
    edits: edits.map((each) => ({
      kind: 'account',
      id: each.id,
      before: null,
      after: written(each),
      concerns: [],
    })),
    secrets: edits.map(({ id, name, form }) => ({
      id,
      before: null,
      after:
        form === 'gone' ? null : { version, keyId: 'k', sealed: btoa(encodeURIComponent(name)) },
    })),
    sum: sum(),
  };
}

test('a file of own and of older records, whatever replaces what, is read to its end with its sums', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(edit), fc.array(fc.array(edit)), async (base, changes) => {
      const obvious = new Obvious();
      const standing = base.filter(({ form }) => form !== 'gone');
      for (const each of standing) obvious.put(each.id, written(each));
      const objects = standing.map((each) => ({
        kind: 'account',
        id: each.id,
        record: written(each),
      }));
      const counts = { format: 1, file: 1, version: 0, atMs: 0, nextJob: 1, secrets: 0 };
      const header = { ...counts, objects: objects.length, sum: obvious.sum() };
      const lines = [encodeLine({ header }), ...objects.map((object) => encodeLine({ object }))];
      for (const [index, edits] of changes.entries()) {
        const line = changeLine(index + 1, edits, () => '0'.repeat(16));
        for (const { id, after } of line.edits) obvious.put(id, after as object | null);
        for (const { id, after } of line.secrets) {
          if (after) obvious.secrets.set(id, after);
          else obvious.secrets.delete(id);
        }
        lines.push(encodeLine({ change: { ...line, sum: obvious.sum() } }));
      }
      const found = await read(lines);
      assert.ok(found.kind === 'base', JSON.stringify(found));
      assert.equal(found.rest, 'none');
      assert.equal(found.offsets.length, changes.length);
      assert.equal(found.holdings.objects, obvious.records.size);
      const isOld = [...obvious.records.values()].some((record) => !('limits' in record));
      assert.equal(found.migrated, isOld);
      // What this version writes of it is its own sum.
      assert.equal(Holdings.of(found.holdings.contents()).sum, found.holdings.sum);
      for (const { record } of found.holdings.records())
        assert.deepEqual((record as AccountRecord).limits, {});
    }),
    { numRuns: 200 },
  );
});

test('a change with an object that cannot be read is not made, and not half of it either', async () => {
  const obvious = new Obvious();
  const header = { format: 1, file: 1, version: 0, atMs: 0, nextJob: 1, secrets: 0, objects: 0 };
  const line = changeLine(1, [{ id: 'a', name: 'a', form: 'own' }], () => '0'.repeat(16));
  const bad = { ...line.edits[0]!, id: 'b', after: { id: 'b', name: 7 } };
  const edits = [line.edits[0]!, bad];
  for (const { id, after } of edits) obvious.put(id, after as object);
  const first = encodeLine({ header: { ...header, sum: '0'.repeat(16) } });
  const change = { ...line, secrets: [], edits, sum: obvious.sum() };
  const found = await read([first, encodeLine({ change })]);
  assert.ok(found.kind === 'base');
  assert.equal(found.rest, 'bad');
  assert.equal(found.holdings.version, 0);
  assert.equal(found.holdings.objects, 0, 'nothing of it is in force');
});
