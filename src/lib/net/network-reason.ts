/** Failures of the network in plain words for the owner of a destination: no inner address, no message of a library. */
import { refusedRange } from './addresses.ts';
import {
  AddressRefused,
  ConnectTimeout,
  NO_INNER_CONNECTION,
  NOT_FOUND_OR_REFUSED,
} from './guarded-dialler.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: NOT_FOUND_OR_REFUSED,
  ENODATA: NOT_FOUND_OR_REFUSED,
  ETIMEOUT: 'DNS: the name servers did not answer in time',
  ESERVFAIL: 'DNS: the name servers could not answer for this name',
  EREFUSED: 'DNS: the name servers refused to answer for this name',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ECONNABORTED: 'the connection was cut',
  ETIMEDOUT: 'the connection timed out',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network of the host cannot be reached',
  EADDRNOTAVAIL: 'the host cannot be reached',
  EMFILE: 'Waybill has no free connection just now',
  ENFILE: 'Waybill has no free connection just now',
  CERT_HAS_EXPIRED: 'TLS: the certificate has expired',
  CERT_NOT_YET_VALID: 'TLS: the certificate is not valid yet',
  CERT_REVOKED: 'TLS: the certificate has been revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS: the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'TLS: the certificate is signed by an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'TLS: the certificate is signed by an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'TLS: the certificate is signed by an authority that is not trusted, or its chain is incomplete',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'TLS: the certificate is signed by an authority that is not trusted, or its chain is incomplete',
  ERR_TLS_CERT_ALTNAME_INVALID: 'TLS: the certificate is for another host name',
};

/** Families of codes, by how they begin. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^HPE_/, 'the answer is not valid HTTP'],
  [
    /_ALERT_.*(CERTIFICATE|UNKNOWN_CA)/,
    'TLS: the receiver wants a client certificate, or another than it was shown',
  ],
  [/^(EPROTO$|ERR_SSL_|ERR_TLS_)/, 'TLS: no secure connection could be agreed on'],
  [/CERT/, 'TLS: the certificate is not accepted'],
];

/** The error's code, looking into the several attempts behind an `AggregateError`. */
export function networkCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return networkCode(error.errors[0]);
  return undefined;
}

/** Ways in which a connection does not come about: told apart they would say which inner addresses and ports live. */
const NO_CONNECTION = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
]);

/** Whether the error is of a connection to an address that is special, and open here because the operator said so. */
function isInner(error: unknown): boolean {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(first instanceof Error) || !('address' in first)) return false;
  return typeof first.address === 'string' && refusedRange(first.address, [], []) !== undefined;
}

/** What to tell a destination's owner about a failed connection or exchange. */
export function networkReason(error: unknown): string {
  if (error instanceof AddressRefused || error instanceof ConnectTimeout) return error.message;
  const code = networkCode(error);
  if (code === undefined) return 'the connection failed';
  if (NO_CONNECTION.has(code) && isInner(error)) return NO_INNER_CONNECTION;
  return (
    REASONS[code] ??
    FAMILIES.find(([form]) => form.test(code))?.[1] ??
    `the connection failed (${code})`
  );
}
