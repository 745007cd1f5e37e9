/**
 * Certificates that a job brings for the connections of its own: the client's, for receivers that know who connects by it
 * (mutual TLS), and that of a receiver's own authority. For destinations that dial by themselves.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { DialCertificates } from '../lib/net/dialler.ts';
import { isProblem, problem } from './conf.ts';
import type { Conf } from './conf.ts';
import type { ConfProblem, SettingDescription } from './destination.ts';

const [CERTIFICATE, KEY, AUTHORITY] = [
  'client-certificate',
  'client-key',
  'ca-certificate',
] as const;

export const CERTIFICATE_PARAMS: readonly string[] = [CERTIFICATE, KEY, AUTHORITY];

const PEM_FILE = 'a PEM file in base64 (base64 -w0 <file>)';

export const CERTIFICATE_SETTINGS: readonly SettingDescription[] = [
  {
    name: CERTIFICATE,
    help: `The client’s certificate for mutual TLS, with those between it and its authority behind it: ${PEM_FILE}.`,
    required: false,
    secret: false,
  },
  {
    name: KEY,
    help: `The certificate’s key, not encrypted: ${PEM_FILE}.`,
    required: false,
    secret: true,
  },
  {
    name: AUTHORITY,
    help: `Authorities to trust in place of the public ones: ${PEM_FILE}. Absent: the public ones.`,
    required: false,
    secret: false,
  },
];

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MOST_CERTIFICATES = 8;

/** @param secure whether the connection is one of TLS @returns undefined when the conf brings none */
export function readCertificates(
  conf: Conf,
  secure: boolean,
): DialCertificates | ConfProblem | undefined {
  const param = (wanted: string) => conf.params.find(({ name }) => name === wanted)?.value;
  const [certificate, key, authority] = [param(CERTIFICATE), param(KEY), param(AUTHORITY)];
  const first = [CERTIFICATE, KEY, AUTHORITY].find((name) => param(name) !== undefined);
  if (first === undefined) return undefined;
  if (!secure) return problem(first, 'is for TLS, which is switched off here');
  const ca = authority === undefined ? undefined : certificatesIn(authority, AUTHORITY);
  if (ca !== undefined && isProblem(ca)) return ca;
  const trust = ca === undefined ? {} : { ca: ca.blocks };
  if (certificate === undefined && key === undefined) return usable(trust, AUTHORITY);
  if (certificate === undefined) return problem(CERTIFICATE, `is needed with ${KEY}`);
  if (key === undefined) return problem(KEY, `is needed with ${CERTIFICATE}`);
  const chain = certificatesIn(certificate, CERTIFICATE);
  if (isProblem(chain)) return chain;
  const pem = keyIn(key);
  if (typeof pem !== 'string') return pem;
  if (!chain.first.checkPrivateKey(createPrivateKey(pem)))
    return problem(KEY, `is not that of the first certificate in ${CERTIFICATE}`);
  return usable({ cert: chain.blocks.join('\n'), key: pem, ...trust }, CERTIFICATE);
}

interface Certificates {
  readonly blocks: readonly string[];
  readonly first: X509Certificate;
}

function certificatesIn(value: string, name: string): Certificates | ConfProblem {
  const blocks = pemOf(value).match(BLOCK) ?? [];
  if (blocks.length > MOST_CERTIFICATES)
    return problem(name, `holds more than ${MOST_CERTIFICATES} certificates`);
  try {
    const [first] = blocks.map((block) => new X509Certificate(block));
    if (first) return { blocks, first };
  } catch {
    // Said below; what the library says may quote what it was given.
  }
  return problem(name, `must hold certificates: ${PEM_FILE}`);
}

function keyIn(value: string): string | ConfProblem {
  const pem = pemOf(value);
  if (pem.includes('ENCRYPTED'))
    return problem(KEY, 'must not be encrypted: openssl pkey -in <file>');
  try {
    createPrivateKey(pem);
    return pem;
  } catch {
    return problem(KEY, `must be a private key: ${PEM_FILE}`);
  }
}

/** A `+` that nobody escaped arrives as a space, which base64 does not have. */
function pemOf(value: string): string {
  return Buffer.from(value.replaceAll(' ', '+'), 'base64').toString('latin1');
}

/** A key that is too short, say, is found here and not at the first connection. */
function usable(certificates: DialCertificates, name: string): DialCertificates | ConfProblem {
  try {
    createSecureContext({ ...certificates, ca: [...(certificates.ca ?? [])] });
    return certificates;
  } catch {
    return problem(name, 'is not taken by TLS: its key or signature may be too weak');
  }
}
