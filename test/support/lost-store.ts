/** Ways in which a control store is lost, and one check of what must hold through each: lines, answers, rebuild. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeCustomer, makeJob, sendTo } from './customer.ts';
import { eventually, startReceiver } from './receiver.ts';
import { LOCAL_DESTINATIONS, startServer } from './server.ts';
import type { Server } from './server.ts';

export interface Loss {
  readonly name: string;
  /** Does it to the store at `path`; `older` is a copy from before the last changes. Returns how it is ended, if it lasts. */
  readonly strike: (path: string, older: string) => (() => void) | void;
  /** The store is what it should be again by itself when it ends: nothing has to be rebuilt. */
  readonly passes?: true;
  /** A running server need not notice it: what is damaged is in nobody's way. */
  readonly quiet?: true;
}

const flip = (share: number): Loss => ({
  name: `one byte flipped at ${share * 100} % of it`,
  quiet: true,
  strike(path) {
    const bytes = readFileSync(path);
    const at = Math.floor(bytes.length * share);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
    writeFileSync(path, bytes);
  },
});

export const LOSSES: readonly Loss[] = [
  { name: 'deleted', strike: (path) => rmSync(path) },
  { name: 'emptied', strike: (path) => truncateSync(path, 0) },
  { name: 'cut in half', strike: (path) => truncateSync(path, readFileSync(path).length >> 1) },
  {
    name: 'filled with noise',
    strike: (path) => writeFileSync(path, Buffer.alloc(20_000, 'noise ')),
  },
  { name: 'replaced by an older one', strike: (path, older) => copyFileSync(older, path) },
  {
    name: 'blanked with a checksum that fits',
    strike(path) {
      const database = new DatabaseSync(path);
      database.exec(
        "DELETE FROM objects; DELETE FROM secrets; UPDATE meta SET checksum = '0000000000000000'",
      );
      database.close();
    },
  },
  {
    name: 'blanked as a newer version',
    strike(path) {
      const database = new DatabaseSync(path);
      database.exec(
        "DELETE FROM objects; DELETE FROM secrets; UPDATE meta SET checksum = '0000000000000000', version = version + 1",
      );
      database.close();
    },
  },
  {
    name: 'locked by another process',
    passes: true,
    strike(path) {
      const database = new DatabaseSync(path);
      database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
      return () => database.close();
    },
  },
  ...[0.12, 0.5, 0.9].map(flip),
];

/** Whether the store is lost under a running server, or between two runs. */
export type When = 'running' | 'stopped';

const flags = [
  ...LOCAL_DESTINATIONS,
  '--deliver-interval-ms',
  '200',
  '--buffer-low-watermark',
  '0.97',
  '--buffer-high-watermark',
  '0.98',
];

/** Loses the store, and looks at everything that must go on. */
export async function surviveLoss(dataDir: string, loss: Loss, when: When): Promise<void> {
  const path = join(dataDir, 'control.db');
  const older = `${dataDir}.older`;
  const receiver = await startReceiver();
  const sent: string[] = [];
  let server = await startServer({ dataDir, flags });
  const restart = async (signal: NodeJS.Signals): Promise<void> => {
    await server.end(signal);
    server = await startServer({ dataDir, flags });
  };
  try {
    const token = await makeCustomer(server, 'a', 'z');
    const send = async (text: string): Promise<void> => {
      const line = `{"n":"${text}"}`;
      const { status } = await sendTo(server, token, 'zones/z/http_requests', line);
      assert.equal(status, 200, text);
      sent.push(line);
    };
    copyFileSync(path, older);
    await makeJob(server, 'z', receiver.url);
    await send('before');

    let end: (() => void) | void = undefined;
    if (when === 'stopped') await server.end('SIGKILL');
    end = loss.strike(path, older);
    if (when === 'stopped') server = await startServer({ dataDir, flags });
    await send('while it is lost');
    await answersAsLost(server, loss, when);
    await restart('SIGKILL');
    await send('after another restart');
    await answersAsLost(server, loss, 'stopped');
    end?.();

    await bringBack(server, loss);
    await makeJobOf(server, 'after the rebuild');
    await restart('SIGTERM');
    await send('at the end');
    assert.equal((await statusOf(server)).configuration.readOnly, null);
    const { changes } = await server.call<{ changes: { what: string }[] }>('GET', '/v1/changes');
    const whats = changes.map(({ what }) => what);
    assert.ok(whats.includes('zone.create') && whats.includes('token.create'), whats.join());
    // A kill between a delivery and its waybill has an HTTP receiver see the batch again.
    const arrived = () => [...new Set(receiver.lines())];
    await eventually('everything is delivered', () => arrived().length >= sent.length);
    assert.deepEqual(arrived(), sent);
  } finally {
    await server.end('SIGKILL');
    receiver.close();
    rmSync(older, { force: true });
  }
}

interface Status {
  readonly configuration: {
    readonly version: number;
    readonly jobs: number;
    readonly readOnly: { readonly trouble: string; readonly advice: string } | null;
  };
}

const statusOf = (server: Server): Promise<Status> => server.call('GET', '/v1/status');

/** Everything that reads answers from what is in force; every change is refused in the same words. */
async function answersAsLost(server: Server, loss: Loss, when: When): Promise<void> {
  const refused = await fetch(`${server.controlUrl}/v1/accounts/b`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${server.operatorToken}` },
    body: '{}',
  });
  const text = await refused.text();
  // A byte that decayed where nobody has looked, or that holds nothing: then a change passes, and that is right as well.
  if (loss.quiet && refused.ok) return;
  assert.equal(refused.status, 503, `${when}: ${text}`);
  assert.match(text, /"control_read_only".*waybill control rebuild/);
  assert.equal(refused.headers.get('x-waybill-control'), 'read-only');
  assert.equal(refused.headers.get('x-should-retry'), 'false');
  const { configuration } = await statusOf(server);
  assert.match(configuration.readOnly!.advice, /waybill control rebuild/);
  assert.equal(configuration.jobs, 1, 'what is in force is shown');
  const { result } = await server.call<{ result: unknown[] }>(
    'GET',
    '/client/v4/zones/z/logpush/jobs',
  );
  assert.equal(result.length, 1);
  const metrics = await (await fetch(`${server.controlUrl}/metrics`)).text();
  assert.match(metrics, /^waybill_control_read_only 1$/m);
  const { changes } = await server.call<{ changes: unknown[] }>('GET', '/v1/changes?limit=3');
  assert.equal(changes.length, 3, 'the history is there');
  assert.match(server.log(), /"alarm".*the control store is not what is in force/);
}

async function bringBack(server: Server, loss: Loss): Promise<void> {
  if (loss.passes) {
    await eventually(
      'the store is taken again by itself',
      async () => (await statusOf(server)).configuration.readOnly === null,
    );
    return;
  }
  const rebuilt = await server.call<{ rebuilt: boolean }>('POST', '/v1/control/rebuild');
  if (!loss.quiet) assert.equal(rebuilt.rebuilt, true);
}

async function makeJobOf(server: Server, name: string): Promise<void> {
  await server.call('PUT', '/v1/accounts/later', { name });
  const { configuration } = await statusOf(server);
  assert.equal(configuration.jobs, 1);
}
