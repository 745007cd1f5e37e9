import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FORWARD_SETTINGS, readForwardConfig } from './forward-settings.ts';

const GOOD = {
  receiver: { urls: ['https://logs.example:4510'] },
  wanted: { url: 'https://logs.example:4511' },
};

test('the page of the forwarder lists every setting with its default and meaning', () => {
  const page = readFileSync(new URL('../../docs/forwarder.md', import.meta.url), 'utf8');
  for (const { section, key, fallback, help } of FORWARD_SETTINGS) {
    const shown = fallback === '' ? '' : `\`${fallback}\``;
    const row = `| \`${section}.${key}\` | ${shown} | ${help} |`;
    assert.ok(page.includes(row), row);
  }
});

test('a file with a receiver and a control address is enough, and flags win over it', () => {
  const config = readForwardConfig(GOOD, {
    'listen-port': '0',
    'receiver-urls': 'http://a:1,http://b:2',
  });
  assert.ok('listen' in config);
  assert.equal(config.listen.port, 0);
  assert.deepEqual(config.receiver.urls, ['http://a:1', 'http://b:2']);
});

test('what is wrong with settings is said with its place, all at once, and without a value', () => {
  const bad: readonly (readonly [document: unknown, where: string])[] = [
    [{ ...GOOD, receiver: {} }, 'receiver.urls'],
    [{ ...GOOD, receiver: { urls: ['ftp://secret'] } }, 'receiver.urls.0'],
    [{ ...GOOD, wanted: {} }, 'wanted.url'],
    [{ ...GOOD, listen: { port: 70_000 } }, 'listen.port'],
    [{ ...GOOD, tail: [{ paths: ['/a'] }] }, 'tail.0'],
    [{ ...GOOD, tail: [{ paths: ['/a'], stream: 'nothing' }] }, 'tail.0.stream'],
    [{ ...GOOD, lissten: {} }, 'the file'],
    ['text', 'the file'],
  ];
  for (const [document, where] of bad) {
    const problems = readForwardConfig(document, {});
    assert.ok(Array.isArray(problems), where);
    assert.ok(
      problems.some((problem) => problem.where === where),
      JSON.stringify(problems),
    );
    assert.ok(!JSON.stringify(problems).includes('secret'));
  }
});
