/** What makes a request recognisable when it is sent again: an `Idempotency-Key`, or a producer's sequence. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestIdentity } from '../buffer/index.ts';
import type { StreamKey } from '../model/scope.ts';
import type { Refusal } from './refusal.ts';

/** A request's identity as its headers say it; a key becomes one per stream by {@link identityFor}. */
export type ClaimedIdentity =
  | { readonly kind: 'key'; readonly key: string }
  | Extract<RequestIdentity, { kind: 'producer' }>;

/** As `Waybill-Producer: 00f3a1c2d4e5f607;epoch=3;seq=1812`. */
const PRODUCER_HEADER = 'waybill-producer';

const KEY = /^[\x21-\x7e]+$/;
const PRODUCER = /^([0-9a-f]{16}) *; *epoch=([0-9]{1,10}) *; *seq=([0-9]{1,16})$/i;
const EPOCH_MAX = 0xffff_ffff;

/** @returns the identity, undefined when none is claimed, or why the claim cannot be read */
export function readIdentity(
  headers: IncomingHttpHeaders,
  keyBytes: number,
): ClaimedIdentity | undefined | Refusal {
  const key = headers['idempotency-key'];
  const producer = headers[PRODUCER_HEADER];
  if (key === undefined && producer === undefined) return undefined;
  if (key !== undefined && producer !== undefined) {
    return badKey(
      'Waybill-Producer',
      '`Idempotency-Key` and `Waybill-Producer` exclude each other.',
    );
  }
  if (typeof key === 'string') {
    return key.length <= keyBytes && KEY.test(key)
      ? { kind: 'key', key }
      : { code: 'key_invalid', path: 'Idempotency-Key' };
  }
  const parts = typeof producer === 'string' ? PRODUCER.exec(producer) : null;
  const epoch = Number(parts?.[2]);
  const sequence = Number(parts?.[3]);
  if (parts === null || epoch > EPOCH_MAX || !Number.isSafeInteger(sequence)) {
    return badKey(
      'Waybill-Producer',
      '`Waybill-Producer` has the form `<16 hex digits>;epoch=<n>;seq=<n>`.',
    );
  }
  return { kind: 'producer', producer: BigInt(`0x${parts[1]}`), epoch, sequence };
}

function badKey(path: string, detail: string): Refusal {
  return { code: 'key_invalid', path, detail };
}

/**
 * The identity under which one stream remembers the request: a key counts per token and stream, so that nobody meets
 * another's key and each stream of a `?by=` body is told apart.
 */
export function identityFor(
  claimed: ClaimedIdentity,
  tokenId: string,
  stream: StreamKey,
): RequestIdentity {
  if (claimed.kind === 'producer') return claimed;
  // None of the three can hold a NUL, so that no two triples give the same text.
  const digest = createHash('sha256').update(`${tokenId}\0${claimed.key}\0${stream}`).digest();
  return { kind: 'key', hash: digest.subarray(0, 16) };
}
