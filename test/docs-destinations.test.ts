/** The pages in docs/destinations say what the code does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ANSWERS } from '../src/destinations/web-answer.ts';
import { CODES as AZURE } from '../src/destinations/azure/answers.ts';
import { CODES as CLICKHOUSE } from '../src/destinations/clickhouse/answers.ts';
import { ANSWERS as GCS } from '../src/destinations/gcs/answers.ts';
import { HEC_CODES } from '../src/destinations/http/profiles/splunk.ts';
import { CODES as KAFKA } from '../src/destinations/kafka/answers.ts';
import { CODES as KINESIS } from '../src/destinations/kinesis/answers.ts';
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

test('the pages of other services have every code with what it means', () => {
  const tables = {
    azure: AZURE,
    clickhouse: CLICKHOUSE,
    kafka: KAFKA,
    kinesis: KINESIS,
    splunk: HEC_CODES,
  };
  for (const [name, codes] of Object.entries(tables)) {
    const text = page(name);
    for (const [code, { kind, words }] of Object.entries(codes))
      assert.ok(text.includes(`| \`${code}\` | ${kind} | ${words} |`), `${name}: ${code}`);
  }
  for (const { from, kind, words } of GCS)
    assert.ok(page('gcs').includes(`| ${from} | ${kind} | ${words} |`), words);
});

test('every destination has a page with its form and its settings', () => {
  const pages: Record<string, string> = { https: 'http', gs: 'gcs' };
  for (const { schemes, form, settings } of describeDestinations()) {
    const text = page(pages[schemes[0] ?? ''] ?? schemes[0] ?? '');
    assert.ok(text.includes(form), form);
    for (const { name } of settings) assert.ok(text.includes(`\`${name}\``), name);
  }
});
