import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { CLIENT, EXPIRED, VALID } from '../../test/servers/certificates.ts';
import { testDialler } from '../../test/servers/dialler.ts';
import { networkReason } from '../lib/net/network-reason.ts';
import { hasProblems, parseDestination, redactDestination } from './index.ts';

const policy = { allowHttp: true, fileRoots: [] };
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const param = (name: string, text: string): string =>
  `&${name}=${encodeURIComponent(base64(text))}`;
const CERTIFICATE = param('client-certificate', CLIENT.cert);
const KEY = param('client-key', CLIENT.key);
const AUTHORITY = param('ca-certificate', VALID.cert);
const KAFKA = 'kafka://b.example:9093/logs?tls=true';

function problemOf(more: string, conf = KAFKA): string {
  const parsed = parseDestination(conf + more, policy);
  return hasProblems(parsed)
    ? parsed.map(({ setting, message }) => `${setting}: ${message}`).join('\n')
    : '';
}

describe('certificates of a conf', () => {
  test('are taken by what dials by itself, whole and with a chain', () => {
    for (const conf of [KAFKA, 'syslog://h?app=a']) {
      assert.equal(problemOf(CERTIFICATE + KEY, conf), '');
      assert.equal(problemOf(AUTHORITY, conf), '');
      assert.equal(problemOf(CERTIFICATE + KEY + AUTHORITY, conf), '');
    }
    const chain = param('client-certificate', `${CLIENT.cert}${VALID.cert}`);
    assert.equal(problemOf(chain + KEY), '');
    // As it stands in a file, `+` not escaped.
    const raw = `&client-certificate=${base64(CLIENT.cert)}&client-key=${base64(CLIENT.key)}`;
    assert.equal(problemOf(raw), '');
  });

  test('with what is wrong about them said by name', () => {
    assert.match(problemOf(CERTIFICATE), /^client-key: is needed with client-certificate/);
    assert.match(problemOf(KEY), /^client-certificate: is needed with client-key/);
    assert.match(problemOf(CERTIFICATE + param('client-key', VALID.key)), /not that of the first/);
    assert.match(problemOf(CERTIFICATE + param('client-key', 'x')), /must be a private key/);
    assert.match(problemOf(param('client-certificate', 'x') + KEY), /must hold certificates/);
    assert.match(problemOf(param('ca-certificate', CLIENT.key)), /must hold certificates/);
    const damaged = CLIENT.cert.replace('MIIB', 'MIIC');
    assert.match(problemOf(param('client-certificate', damaged) + KEY), /must hold certificates/);
    const many = param('client-certificate', CLIENT.cert.repeat(9));
    assert.match(problemOf(many + KEY), /more than 8 certificates/);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const locked = privateKey
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'p' })
      .toString();
    assert.match(problemOf(CERTIFICATE + param('client-key', locked)), /must not be encrypted/);
    const plain = 'kafka://b.example:9092/logs?tls=false';
    assert.match(problemOf(CERTIFICATE + KEY, plain), /^client-certificate: is for TLS/);
    assert.match(problemOf(AUTHORITY, 'syslog://h?transport=tcp'), /^ca-certificate: is for TLS/);
  });

  test('never show the key, in whatever is said', () => {
    const secrets = [base64(CLIENT.key), encodeURIComponent(base64(CLIENT.key)), 'MIGHAgEAMBMGB'];
    for (const more of [CERTIFICATE + KEY, KEY, `${KEY}&colour=red`, `${KEY}%zz`]) {
      const said = JSON.stringify(parseDestination(KAFKA + more, policy));
      for (const secret of secrets) {
        assert.ok(!said.includes(secret), said);
        assert.ok(!redactDestination(KAFKA + more).includes(secret));
      }
    }
  });
});

describe('a connection', () => {
  const server = createServer({ ...VALID, requestCert: true, ca: [CLIENT.cert] });
  const dialler = testDialler();
  before(() => new Promise<void>((done) => void server.listen(0, '127.0.0.1', done)));
  after(() => {
    dialler.close();
    server.close();
  });

  /** Who the server saw, or what the client is told. */
  function connected(certificates: Parameters<typeof dialler.connect>[0]['certificates']) {
    const { port } = server.address() as AddressInfo;
    const target = { secure: true, host: 'receiver.test', port };
    const socket = dialler.connect(certificates ? { ...target, certificates } : target);
    return new Promise<string>((resolve) => {
      server.once('secureConnection', (peer: TLSSocket) => {
        peer.on('error', () => {});
        peer.end(String(peer.getPeerCertificate().subject?.CN));
      });
      socket.on('data', (said) => resolve(String(said)));
      socket.on('error', (error) => resolve(networkReason(error)));
      socket.on('close', () => resolve('closed without a word'));
    }).finally(() => {
      server.removeAllListeners('secureConnection');
      socket.destroy();
    });
  }

  const ca = [VALID.cert];

  test('shows the client’s certificate, and is told so when there is none', async () => {
    assert.equal(await connected({ ca, ...CLIENT }), 'waybill test client');
    assert.match(await connected({ ca }), /TLS: the receiver wants a client certificate/);
    // Node’s server does not say what it has against one; others do.
    assert.equal(await connected({ ca, ...EXPIRED }), 'closed without a word');
  });

  test('trusts the conf’s authority in place of the public ones, and no other', async () => {
    assert.match(await connected(undefined), /TLS: the certificate is self-signed/);
    assert.match(
      await connected({ ca: [CLIENT.cert], ...CLIENT }),
      /TLS: the certificate is self-/,
    );
  });
});
