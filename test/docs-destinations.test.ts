/** The pages in docs/destinations say what the code does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ANSWERS } from '../src/destinations/web-answer.ts';
import { describeDestinations } from '../src/destinations/index.ts';
import { CODES } from '../src/destinations/s3/answers.ts';

const folder = join(import.meta.dirname, '../docs/destinations');
const page = (name: string): string => readFileSync(join(folder, `${name}.md`), 'utf8');

test('the page of HTTP has the table of answers', () => {
  const rows = page('http').split('\n');
  for (const { from, to, kind, words } of ANSWERS) {
    const found = rows.find((row) => row.endsWith(`| ${kind} | ${words} |`));
    assert.ok(found, words);
    const statuses = from === to ? `${from} ` : to === 999 ? 'anything else' : `${from}–${to}`;
    assert.ok(found.includes(statuses), `${words}: ${statuses}`);
  }
});

test('the page of S3 has every code with what it means', () => {
  const rows = page('s3').split('\n');
  for (const [code, { kind, words }] of Object.entries(CODES)) {
    const found = rows.find((row) => row.includes(`\`${code}\``));
    assert.ok(found?.endsWith(`| ${kind} | ${words} |`), `${code}: ${kind}, ${words}`);
  }
  const told = rows
    .filter((row) => /^\| `[A-Z]/.test(row))
    .flatMap((row) => row.match(/`(\w+)`/g) ?? []);
  assert.equal(told.length, Object.keys(CODES).length);
});

test('every destination has a page with its form and its settings', () => {
  const pages: Record<string, string> = { s3: 's3', https: 'http', file: 'file' };
  for (const { schemes, form, settings } of describeDestinations()) {
    const text = page(pages[schemes[0] ?? ''] ?? '');
    assert.ok(text.includes(form), form);
    for (const { name } of settings) assert.ok(text.includes(`\`${name}\``), name);
  }
});
