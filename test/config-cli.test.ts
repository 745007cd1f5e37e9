/** The configuration's history on the command line, against a control room: as an operator looks back and goes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waybill } from './support/cli.ts';
import type { Said } from './support/cli.ts';
import { S3, startControl, withScopes } from './support/control.ts';
import type { TestControl } from './support/control.ts';
import type { Server } from './support/server.ts';

function cliOf({ url, operator }: TestControl): (...args: string[]) => Promise<Said> {
  const server = { controlUrl: url, operatorToken: operator } as Server;
  return (...args) => waybill(server, ...args);
}

test('history, show, diff and rollback say who, what and why, and show no secret', async () => {
  const server = await startControl();
  try {
    await withScopes(server);
    const run = cliOf(server);
    const body = { destination_conf: S3, enabled: true };
    await server.call('POST', '/client/v4/zones/z1/logpush/jobs', { body });
    const from = (await server.call('GET', '/v1/config')).body.version as number;
    const paused = await run('jobs', 'pause', '1', '--reason', 'Zoë asked');
    assert.equal(paused.code, 0, paused.note);
    const history = await run('config', 'history', '--limit', '2');
    assert.match(history.out, /VERSION +AT +WHO +WHAT +OBJECTS +WHY/);
    assert.match(history.out, /job\.update +job 1 +Zoë asked/);
    const shown = await run('config', 'show', String(from + 1));
    assert.match(shown.out, /Why +Zoë asked/);
    assert.match(shown.out, /changed job 1\n(.*\n)* {2}enabled: true → false/);
    assert.ok(!(await run('config', 'show', String(from))).out.includes('secretMARKER'));
    const diff = await run('config', 'diff', String(from));
    assert.match(diff.out, /enabled: true → false/);
    const dry = await run('config', 'rollback', '--to', String(from), '--dry-run');
    assert.match(dry.out, /enabled: false → true[\s\S]*nothing was changed/);
    assert.equal(server.published.at(-1)!.jobs[0]!.enabled, false);
    const back = await run('config', 'rollback', '--change', String(from + 1), '--json');
    assert.equal(JSON.parse(back.out).dryRun, false);
    assert.equal(server.published.at(-1)!.jobs[0]!.enabled, true);
    assert.equal(
      (await run('config', 'diff', String(from), String(from))).out,
      'They hold the same.\n',
    );
  } finally {
    await server.close();
  }
});

test('misuse and refusals end with their codes and say what would be right', async () => {
  const server = await startControl();
  try {
    const run = cliOf(server);
    const both = await run('config', 'rollback', '--change', '1', '--to', '1');
    assert.deepEqual([both.code, /either --change/.test(both.note)], [2, true]);
    const later = await run('config', 'rollback', '--to', '99');
    assert.deepEqual(
      [later.code, /There is no version 99 yet; 1 is in force/.test(later.note)],
      [4, true],
    );
    const none = await run('control', 'rebuild');
    assert.match(none.out, /nothing to do/);
    const rotated = await run('control', 'rotate-key');
    assert.match(rotated.out, /^Secrets are sealed with key [0-9a-f]{16}; 0 were sealed anew/);
  } finally {
    await server.close();
  }
});
