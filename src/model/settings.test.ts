import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SETTINGS } from './settings.ts';
import type { Setting } from './settings.ts';

const all = Object.entries(SETTINGS).flatMap(([group, settings]) =>
  Object.entries(settings).map(
    ([name, setting]) => [`${group}.${name}`, setting as Setting] as const,
  ),
);

test('I4, I5: no setting switches the guard or a bound off: what can be switched is known, what is a number has an end', () => {
  const switches = all.filter(([, { kind }]) => kind === 'switch').map(([name]) => name);
  assert.deepEqual(switches, ['deliver.lossMarkers', 'destinations.allowHttp']);
  assert.deepEqual(
    all.filter(([name]) => /guard|limit|insist|force|unsafe|unbound/i.test(name)),
    [],
  );
  for (const [name, setting] of all) {
    if (setting.kind === 'whole') assert.ok(Number.isSafeInteger(setting.most), name);
    // A watermark of the whole disk would be none.
    if (setting.kind === 'share') assert.ok(setting.most < 1, name);
  }
});
