import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LineTap } from './contract.ts';
import { openDoor } from './testing.ts';

/** Whoever looks at z1 and z2, and what was shown. */
function onlookers() {
  const seen: string[] = [];
  const asked: string[] = [];
  const tap = {
    watching: true as boolean,
    onlooker(stream) {
      asked.push(stream);
      if (!/^zones\/z[12]\//.test(stream)) return undefined;
      const show = (bytes: Buffer, start: number, end: number) =>
        void seen.push(`${stream} ${bytes.toString('utf8', start, end)}`);
      return {
        see: show,
        seeAll({ bytes, ends }) {
          let start = 0;
          for (const end of ends) show(bytes, start, (start = end));
        },
      };
    },
  } satisfies LineTap;
  return { seen, asked, tap };
}

test('an onlooker sees the good lines of a stream, also of one that nobody wants, which stays unwanted', async () => {
  const { seen, tap } = onlookers();
  await using door = await openDoor({ deps: { tap } });
  await door.post('/v1/ingest/zones/z1/http', '{"n":1}\n\n{"n":2}\n');
  const unwanted = await door.post('/v1/ingest/zones/z2/http', '{"n":3}\n');
  assert.equal(unwanted.json.unwanted, 1);
  await door.post('/v1/ingest/zones/z1/http?invalid=quarantine', 'no\n{"n":4}\n');
  await door.post('/v1/ingest/zones/z1/http', 'no\n{"n":5}\n');
  assert.deepEqual(seen, [
    'zones/z1/http {"n":1}\n',
    'zones/z1/http {"n":2}\n',
    'zones/z2/http {"n":3}\n',
    'zones/z1/http {"n":4}\n',
  ]);
  assert.equal(door.appended.length, 2);
});

test('of a body for many zones an onlooker sees his own, and nothing more is held in memory for it', async () => {
  const { seen, tap } = onlookers();
  await using door = await openDoor({ deps: { tap } });
  const body =
    '{"Zone":"z2","n":1}\n{"Zone":"z1","n":2}\n{"Zone":"z3","n":3}\n{"Zone":"z2","n":4}\n';
  const headers = { Authorization: 'Bearer secret-all' };
  const { json } = await door.post('/v1/ingest/http?by=Zone', body, headers);
  assert.deepEqual([json.accepted, json.unwanted], [2, 2]);
  assert.deepEqual(seen, [
    'zones/z2/http {"Zone":"z2","n":1}\n',
    'zones/z1/http {"Zone":"z1","n":2}\n',
    'zones/z2/http {"Zone":"z2","n":4}\n',
  ]);
  assert.equal(door.stored('zones/z2/http'), '');
  assert.equal(door.stored('zones/z3/http'), '{"Zone":"z3","n":3}\n');
});

test('while nobody looks, nothing but that is asked', async () => {
  const { asked, tap } = onlookers();
  tap.watching = false;
  await using door = await openDoor({ deps: { tap } });
  await door.post('/v1/ingest/zones/z1/http', '{"n":1}\n');
  await door.post('/v1/ingest/http?by=Zone', '{"Zone":"z1"}\n');
  assert.deepEqual(asked, []);
  assert.equal(door.appended.length, 2);
});
