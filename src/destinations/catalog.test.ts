import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { testDialler } from '../../test/servers/dialler.ts';
import { testTools } from '../../test/servers/scripted-rig.ts';
import { sampleBatch } from './conformance.ts';
import type { DestinationPolicy } from './destination.ts';
import {
  describeDestinations,
  destinationScheme,
  hasProblems,
  openDestination,
  parseDestination,
  redactDestination,
} from './index.ts';
import { runs } from '../lib/testing/depth.ts';

const policy: DestinationPolicy = { allowHttp: false, fileRoots: ['/logs'] };
const KEYS = 'access-key-id=AKIA1&secret-access-key=topsecret';

function problemsOf(conf: string, change: Partial<DestinationPolicy> = {}): string {
  const parsed = parseDestination(conf, { ...policy, ...change });
  return hasProblems(parsed)
    ? parsed.map(({ setting, message }) => `${setting}: ${message}`).join('\n')
    : '';
}

function ok(conf: string, change: Partial<DestinationPolicy> = {}) {
  const parsed = parseDestination(conf, { ...policy, ...change });
  assert.ok(!hasProblems(parsed), JSON.stringify(parsed));
  return parsed;
}

describe('destination_conf', () => {
  test('an unknown scheme is refused with the known ones', () => {
    assert.match(
      problemsOf('gopher://x'),
      /s3:\/\/.*https:\/\/, http:\/\/, splunk:\/\/.*file:\/\//,
    );
    assert.match(problemsOf(''), /known destination/);
    assert.match(problemsOf(`https://x/${'a'.repeat(20_000)}`), /at most 16384 bytes/);
    assert.equal(destinationScheme('S3://bucket'), 's3');
    assert.equal(destinationScheme('nothing'), '');
  });

  test('every destination describes itself', () => {
    for (const { schemes, title, form, settings } of describeDestinations()) {
      assert.ok(schemes.length > 0 && title !== '' && form.includes('://'));
      for (const { name, help } of settings) assert.ok(name !== '' && help.endsWith('.'), name);
    }
  });

  test('http:// is only for operators who allow it', () => {
    assert.match(problemsOf('http://x/'), /use https/);
    assert.equal(problemsOf('http://x/', { allowHttp: true }), '');
    assert.match(problemsOf(`s3://logs/a?endpoint=http://h&${KEYS}`), /http:\/\/ is not allowed/);
    assert.equal(problemsOf(`s3://logs/a?endpoint=http://h&${KEYS}`, { allowHttp: true }), '');
  });

  test('headers that would break or forge a request are refused', () => {
    for (const name of [
      'Host',
      'content-length',
      'Transfer-Encoding',
      'CONNECTION',
      'Content-Encoding',
      'Expect',
    ]) {
      assert.match(problemsOf(`https://x/?header_${name}=1`), /set by Waybill itself/, name);
    }
    assert.match(problemsOf('https://x/?header_Waybill-Lines=1'), /set by Waybill itself/);
    assert.match(problemsOf('https://x/?header_Proxy-Authorization=1'), /set by Waybill itself/);
    assert.match(problemsOf('https://x/?header_A=1%0d%0aHost:%20evil'), /no line breaks/);
    assert.match(problemsOf('https://x/?header_A%0d%0aB=1'), /not the name/);
    assert.match(problemsOf('https://x/?header_=1'), /not the name/);
    assert.match(problemsOf('https://x/?header_A=1&header_a=2'), /twice/);
    assert.match(problemsOf('https://x/?header_A=%C3%A9'), /ASCII/);
    assert.match(problemsOf('https://x/?header_A=%zz'), /two hex digits/);
  });

  test('addresses that mean something else than they look like are refused', () => {
    assert.match(problemsOf('https://user:pass@x/'), /user name or password/);
    assert.match(problemsOf('https://good.example\\@evil.example/'), /user name or password/);
    assert.match(problemsOf('https:///x'), /no host/);
    assert.match(problemsOf('https://x:99999/'), /cannot be read/);
    assert.match(problemsOf('https://x/#a'), /%23/);
    assert.match(problemsOf('https://x/a b'), /spaces/);
  });

  test('S3 settings are checked one by one', () => {
    ok(`s3://logs/a/{DATE}?region=eu-central-1&sse=AES256&${KEYS}`);
    ok(`s3://logs?endpoint=nyc3.digitaloceanspaces.com&${KEYS}`);
    assert.match(problemsOf(`s3://logs/a?${KEYS}`), /region: is needed/);
    assert.match(
      problemsOf('s3://logs/a?region=r&access-key-id=a'),
      /secret-access-key: is needed/,
    );
    assert.match(problemsOf('s3://logs/a?region=r'), /access-key-id: is needed/);
    assert.match(problemsOf(`s3://lo/a?region=r&${KEYS}`), /bucket name/);
    assert.match(problemsOf(`s3://logs/a/../b?region=r&${KEYS}`), /`\.\.`/);
    assert.match(problemsOf(`s3://logs/a?region=us/../x&${KEYS}`), /region: must look/);
    assert.match(problemsOf(`s3://logs/a?endpoint=h/bucket&${KEYS}`), /a host alone/);
    assert.match(problemsOf(`s3://logs/a?endpoint=ftp://h&${KEYS}`), /endpoint/);
    assert.match(problemsOf(`s3://logs/a?region=r&sse=x&${KEYS}`), /AES256 or aws:kms/);
    assert.match(problemsOf(`s3://logs/a?region=r&path-style=x&${KEYS}`), /true or false/);
    assert.match(
      problemsOf(`s3://logs/a?region=r&colour=red&${KEYS}`),
      /colour: is not known here/,
    );
    assert.match(problemsOf(`s3://logs/a?region=r&region=s&${KEYS}`), /region: is given twice/);
  });

  test("the machine's own credentials are only for accounts that may use them, and only at Amazon", () => {
    ok('s3://logs/a?region=r', { ambientCredentials: true });
    assert.match(
      problemsOf('s3://logs/a?region=r&endpoint=h', { ambientCredentials: true }),
      /is needed/,
    );
  });
});

describe('redaction', () => {
  const SECRETS = 'hunter2-XYZ';

  test('secrets are replaced and everything else stays as it was', () => {
    assert.equal(
      redactDestination(
        `https://x/p?header_Authorization=Bearer%20${SECRETS}&a=1&api_key=${SECRETS}`,
      ),
      'https://x/p?header_Authorization=***&a=1&api_key=***',
    );
    assert.equal(
      redactDestination(`s3://logs/a/{DATE}?region=r&access-key-id=K&secret-access-key=${SECRETS}`),
      's3://logs/a/{DATE}?region=r&access-key-id=K&secret-access-key=***',
    );
    assert.equal(redactDestination('file:///logs/a'), 'file:///logs/a');
    assert.equal(redactDestination(`gopher://${SECRETS}`), 'gopher://***');
    assert.equal(redactDestination(`s3://?${SECRETS}`), 's3://***');
  });

  test('a path that holds a webhook’s password is not shown', () => {
    const parsed = ok('https://hooks.example/services/T0001/abcdefGHIJKL12345678?x=1');
    assert.equal(parsed.address, 'https://hooks.example/services/T0001/***');
    assert.equal(parsed.redacted, 'https://hooks.example/services/T0001/***?x=1');
  });

  test('nothing that parsing gives or says holds a secret', () => {
    const names = fc.constantFrom(
      'header_Authorization',
      'header_X-Key',
      'api_key',
      'token',
      'password',
      'sig',
      'auth',
    );
    const strange = fc.constantFrom('', '%0d%0a', '%zz', '%C3%A9');
    fc.assert(
      fc.property(names, strange, (name, tail) => {
        for (const conf of [
          `https://x/?${name}=${SECRETS}${tail}`,
          `s3://logs/a?region=r&access-key-id=k&secret-access-key=${SECRETS}${tail}&${name}=${SECRETS}`,
          `http://x/?${name}=${SECRETS}${tail}`,
        ]) {
          assert.ok(!JSON.stringify(parseDestination(conf, policy)).includes(SECRETS), conf);
          assert.ok(!redactDestination(conf).includes(SECRETS), conf);
        }
      }),
      { numRuns: runs(50) },
    );
  });

  test('the fingerprint follows the place and not the credentials', () => {
    const one = ok(`s3://logs/a?region=r&${KEYS}`).fingerprint;
    assert.match(one, /^[0-9a-f]{16}$/);
    assert.equal(
      ok('s3://logs/a?region=r&access-key-id=other&secret-access-key=s').fingerprint,
      one,
    );
    assert.notEqual(ok(`s3://logs/b?region=r&${KEYS}`).fingerprint, one);
    assert.notEqual(ok(`s3://logs/a?endpoint=h&${KEYS}`).fingerprint, one);
    const url = ok('https://x/p?header_A=1').fingerprint;
    assert.equal(ok('https://x/p?header_A=2').fingerprint, url);
    assert.notEqual(ok('https://x:8443/p').fingerprint, url);
  });
});

test('a destination that is not allowed any more answers retry and says why: nothing is lost', async () => {
  const dialler = testDialler();
  const sender = await openDestination('http://x/', testTools({ dialler, policy }));
  const outcome = await sender.send(sampleBatch(), new AbortController().signal);
  assert.equal(outcome.kind, 'retry');
  assert.match(outcome.kind === 'retry' ? outcome.reason : '', /http:\/\/ is not allowed/);
  await sender.close();
  dialler.close();
});
