import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CallFailed } from '../control-client.ts';
import { readConfig } from './config-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-files-'));
after(() => rmSync(folder, { recursive: true }));

const GOOD = `# Customers of the north.
waybill: 1
complete: true

datasets:
  - id: app_logs
    scope: zone

accounts:
  - id: acme
    name: Acme Inc.
    zones:
      - id: shop
        name: shop.example
        jobs:
          - name: requests
            destination: s3://logs/{DATE}?region=eu&access-key-id=a&secret-access-key=\${env:KEY}
            filter:
              where: { key: EdgeResponseStatus, operator: geq, value: 400 }
    jobs:
      - name: audit
        dataset: audit_logs
        destination: \${file:audit.conf}
        enabled: false
  - id: bolt

expect:
  accounts: 2
  zones: 1
  datasets: 1
  jobs: 2
`;
writeFileSync(join(folder, 'audit.conf'), 'https://audit.example/in?header_Authorization=a%20b\n');

function read(text: string, name = 'a.yaml') {
  writeFileSync(join(folder, name), text);
  return readConfig([join(folder, name)], { KEY: 'a/b+c' });
}

function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof CallFailed) return error.message.replaceAll(`${folder}/`, '');
    throw error;
  }
  return 'taken';
}

test('a file is read with its secrets: a reference within an address is percent-encoded, a whole one is taken as it is', () => {
  const { document } = read(GOOD);
  const [acme] = document.accounts;
  assert.match(acme!.zones[0]!.jobs[0]!.destination, /secret-access-key=a%2Fb%2Bc$/);
  assert.equal(acme!.jobs[0]!.destination, 'https://audit.example/in?header_Authorization=a%20b');
});

test('I4: no prefix of a good file takes effect, cut at any line or at any byte', () => {
  const whole = GOOD.indexOf('  jobs: 2') + '  jobs: 2'.length;
  for (let end = 0; end < whole; end++)
    assert.notEqual(refusal(GOOD.slice(0, end)), 'taken', `cut at byte ${end}`);
  assert.equal(refusal(GOOD.slice(0, whole)), 'taken');
});

test('what is wrong is said with file and line, and no secret is', () => {
  const cases: readonly (readonly [from: string, to: string, said: RegExp])[] = [
    ['name: requests', 'nam: requests', /^a\.yaml:16: `nam` is not known here/],
    ['enabled: false', 'enabled: maybe', /^a\.yaml:24: `accounts\.0\.jobs\.0\.enabled`: .*boolean/],
    ['{env:KEY}', '{env:NONE}', /^a\.yaml:17: the environment has no NONE/],
    ['{env:KEY}', '{KEY}', /^a\.yaml:17: .* is no reference; write \$\{env:NAME\} or/],
    ['audit.conf', 'none.conf', /^a\.yaml:23: the file none\.conf cannot be read \(ENOENT\)/],
    ['  jobs: 2', '  jobs: 3', /^a\.yaml:27: `expect` declares 3 jobs, and there are 2/],
    ['waybill: 1\n', 'waybill: 2\n', /^a\.yaml:2: `waybill`: must be 1/],
    ['  - id: bolt', '  - id: bolt\n  id: x', /^a\.yaml:2\d: /],
    ['  jobs: 2\n', '  jobs: 2\nlater: 1\n', /^a\.yaml:\d+: `expect` has to be the last entry/],
    ['  jobs: 2\n', '  jobs: 2\n---\nwaybill: 1\n', /a second document begins here/],
  ];
  for (const [from, to, said] of cases) {
    const text = refusal(GOOD.replace(from, to));
    assert.match(text, said);
    assert.doesNotMatch(text, /a\/b\+c/);
  }
});

test('several files are one document: nothing stands twice, and with `complete` the number of files is declared', () => {
  const at = join(folder, 'many');
  mkdirSync(at);
  const one = (id: string, more = '', top = '') =>
    `waybill: 1\n${top}accounts: [{ id: ${id} }]\nexpect: { accounts: 1, jobs: 0${more} }\n`;
  const tried = (first: string, second: string) => {
    writeFileSync(join(at, '1.yaml'), first);
    writeFileSync(join(at, '2.yaml'), second);
    return readConfig([at], {});
  };
  const both = tried(one('a'), one('b'));
  assert.deepEqual(
    both.document.accounts.map(({ id }) => id),
    ['a', 'b'],
  );
  assert.equal(both.document.expect.accounts, 2);
  assert.match(both.place('accounts.1.id') ?? '', /2\.yaml:2$/);
  assert.throws(() => tried(one('a'), one('a')), /2\.yaml:2: account a stands in .*1\.yaml:2/);
  assert.throws(() => tried(one('a', '', 'complete: true\n'), one('b')), /`files: 2`/);
  assert.throws(
    () => tried(one('a', ', files: 3'), one('b')),
    /declares 3 files, and 2 were given/,
  );
  assert.ok(tried(one('a', ', files: 2', 'complete: true\n'), one('b')).document.complete);
});
