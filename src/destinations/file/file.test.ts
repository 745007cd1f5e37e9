import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { nodeFileSystem } from '../../lib/fs/node.ts';
import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { testDialler } from '../../../test/servers/dialler.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import { sampleBatch } from '../conformance.ts';
import type { ConfProblem, SendOutcome } from '../destination.ts';
import { fileDestination } from './index.ts';

const dialler = testDialler();
const place = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-file-')));
after(() => {
  dialler.close();
  rmSync(place, { recursive: true });
});

const going = new AbortController().signal;
const policy = { allowHttp: false, fileRoots: [join(place, 'open')] };
mkdirSync(join(place, 'open'));

async function write(folder: string): Promise<SendOutcome> {
  const tools = testTools({ dialler, files: nodeFileSystem(), policy });
  const sender = await fileDestination.open(`file://${folder}`, tools);
  return sender.send(sampleBatch(), going);
}

function problems(conf: string, fileRoots: readonly string[] = ['/srv/logs', '/data/']): string {
  const parsed = fileDestination.parse(conf, { allowHttp: false, fileRoots });
  return 'scheme' in parsed ? '' : parsed.map(({ message }: ConfProblem) => message).join('; ');
}

describe('file', () => {
  test('a batch is a whole file below the opened folder, on the day of its lines', async () => {
    const outcome = await write(join(place, 'open/a/{DATE}'));
    const path = join(place, 'open/a/20260102', sampleBatch().name);
    assert.deepEqual(outcome, { kind: 'accepted', receipt: path });
    assert.equal(statSync(path).size, sampleBatch().bodyBytes);
    assert.deepEqual(
      readdirSync(join(place, 'open/a/20260102')),
      [sampleBatch().name],
      'no part is left',
    );
  });

  test('a symbolic link that leads out of the opened folder is refused, and nothing is made behind it', async () => {
    mkdirSync(join(place, 'secret'));
    symlinkSync(join(place, 'secret'), join(place, 'open/way-out'));
    for (const folder of ['open/way-out', 'open/way-out/a/b', 'open/way-out/{DATE}']) {
      const outcome = await write(join(place, folder));
      assert.equal(outcome.kind, 'retry');
      assert.match(outcome.kind === 'retry' ? outcome.reason : '', /symbolic link/);
    }
    assert.deepEqual(readdirSync(join(place, 'secret')), []);
  });

  test('a symbolic link that stays inside is followed', async () => {
    mkdirSync(join(place, 'open/real'));
    symlinkSync(join(place, 'open/real'), join(place, 'open/alias'));
    assert.equal((await write(join(place, 'open/alias/x'))).kind, 'accepted');
    assert.equal(readdirSync(join(place, 'open/real/x')).length, 1);
  });

  test('a file in the place of a folder is told in plain words', async () => {
    await write(join(place, 'open/b'));
    const outcome = await write(join(place, 'open/b', sampleBatch().name, 'c'));
    assert.match(outcome.kind === 'retry' ? outcome.reason : outcome.kind, /not a folder/);
  });

  test('only absolute folders below the operator’s are taken, without ways around', () => {
    assert.equal(problems('file:///srv/logs'), '');
    assert.equal(problems('file:///srv/logs/'), '');
    assert.equal(problems('file:///srv/logs/a/{DATE}'), '');
    assert.equal(problems('file:///data/a'), '');
    assert.match(problems('file:///srv/logs', []), /not enabled/);
    assert.match(problems('file:///srv/logs2'), /does not lie below/);
    assert.match(problems('file:///etc'), /does not lie below/);
    assert.match(problems('file:///'), /does not lie below|empty/);
    assert.match(problems('file://srv/logs'), /absolute/);
    assert.match(problems('file://host/srv/logs'), /absolute/);
    assert.match(problems('file:///srv/logs/../../etc'), /`\.\.`/);
    assert.match(problems('file:///srv/logs/%2e%2e/x'), /`\.\.`/);
    assert.match(problems('file:///srv/logs/a//b'), /empty/);
    assert.match(problems('file:///srv/logs/%00'), /no file system/);
    assert.match(problems('file:///srv/logs?x=1'), /not known/);
    assert.match(problems('file:///srv/logs/%zz'), /two hex digits/);
  });
});

test('I1: what was answered accepted is there after the power went, and nothing is there by half', async () => {
  for (let calls = 1; calls <= 40; calls += 1) {
    const random = seededRandom(calls);
    const disk = new SimDisk({ random });
    await disk.files().makeDirectory('/logs');
    await disk.files().syncDirectory('/');
    const sender = await fileDestination.open(
      'file:///logs/{DATE}',
      testTools({
        dialler,
        files: disk.files(),
        policy: { allowHttp: false, fileRoots: ['/logs'] },
      }),
    );
    let accepted = false;
    const stopped = disk.stopAt(calls);
    const sending = sender.send(sampleBatch(), going).then((outcome) => {
      accepted = outcome.kind === 'accepted';
    });
    await Promise.race([stopped, sending]);
    disk.crash();
    const held = disk.content(`/logs/20260102/${sampleBatch().name}`);
    if (accepted) assert.ok(held, `stopped at call ${calls}`);
    if (held) assert.ok(held.equals(Buffer.concat(sampleBatch().body)), `whole at call ${calls}`);
    // And the repeat after the restart finds nothing in its way.
    const again = await fileDestination.open(
      'file:///logs/{DATE}',
      testTools({
        dialler,
        files: disk.files(),
        policy: { allowHttp: false, fileRoots: ['/logs'] },
      }),
    );
    const repeated = await again.send(sampleBatch(), going);
    assert.equal(repeated.kind, 'accepted', `${calls}: ${JSON.stringify(repeated)}`);
  }
});
