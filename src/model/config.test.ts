import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from './config.ts';
import type { ConfigSources } from './config.ts';

const read = (sources: Partial<ConfigSources>) =>
  readConfig({ environment: {}, flags: {}, ...sources });

test('without any source the defaults stand', () => {
  const config = read({});
  assert.ok('ingest' in config);
  assert.equal(config.ingest.port, 4510);
  assert.deepEqual(config.destinations.fileRoots, []);
});

test('a flag wins over the environment, which wins over the file', () => {
  const file = {
    path: 'w.yaml',
    document: { ingest: { port: 1, host: 'a' }, control: { port: 9 } },
  };
  const config = read({
    file,
    environment: { WAYBILL_INGEST_PORT: '2', WAYBILL_CONTROL_PORT: '8' },
    flags: { 'ingest-port': '3' },
  });
  assert.ok('ingest' in config);
  assert.equal(config.ingest.port, 3);
  assert.equal(config.control.port, 8);
  assert.equal(config.ingest.host, 'a');
});

test('lists are comma-separated in flags and environment', () => {
  const config = read({
    environment: { WAYBILL_DESTINATIONS_ALLOW_ADDRESSES: '127.0.0.0/8, ::1/128' },
  });
  assert.ok('destinations' in config);
  assert.deepEqual(config.destinations.allowAddresses, ['127.0.0.0/8', '::1/128']);
});

test('an unknown key is refused with its place and the nearest known one', () => {
  const problems = read({ file: { path: 'w.yaml', document: { ingest: { prot: 1 } } } });
  assert.deepEqual(problems, [
    { where: 'w.yaml: ingest.prot', message: 'is no setting; did you mean ingest.port?' },
  ]);
});

test('an unknown variable is refused, variables of the command line are not', () => {
  const problems = read({ environment: { WAYBILL_INGEST_PROT: '1', WAYBILL_TOKEN: 'x' } });
  assert.ok(Array.isArray(problems));
  assert.deepEqual(
    problems.map((problem) => problem.where),
    ['WAYBILL_INGEST_PROT'],
  );
});

test('a bad value is refused with the value and what would be right', () => {
  const problems = read({
    flags: { 'ingest-port': 'http' },
    environment: { WAYBILL_PROCESS_LOG_LEVEL: 'loud' },
  });
  assert.deepEqual(problems, [
    { where: '--ingest-port', message: 'is "http", but must be a whole number from 0 to 65535' },
    {
      where: 'WAYBILL_PROCESS_LOG_LEVEL',
      message: 'is "loud", but must be one of debug, info, warn, error, alarm',
    },
  ]);
});

test('an empty file is refused rather than read as defaults (I4)', () => {
  const problems = read({ file: { path: 'w.yaml', document: null } });
  assert.ok(Array.isArray(problems));
  assert.match(problems[0]!.message, /must hold sections/);
});

test('a certificate without its key is refused', () => {
  const problems = read({ flags: { 'ingest-tls-cert': 'c.pem' } });
  assert.ok(Array.isArray(problems));
  assert.match(problems[0]!.where, /ingest.tlsCert, ingest.tlsKey/);
});
