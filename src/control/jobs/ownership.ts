/**
 * Ownership challenges: proof that whoever makes a job can read what is written to its destination, as Logpush asks for it
 * (`/logpush/ownership`). The token is written there; who can read it back may deliver there.
 *
 * It has the form of a JWT (RFC 7519), which clients expect; only this server can make and check one. It holds for one scope
 * and one place (credentials apart, so that a rotated key needs no new one), until it expires.
 */
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Scope } from '../../model/scope.ts';
import type { Sealer } from '../secrets/sealing.ts';

/** What a token is bound to. */
export interface Claim {
  readonly scope: Scope;
  /** Of the destination: the place without its credentials. */
  readonly fingerprint: string;
}

const HEADER = part({ alg: 'HS256', typ: 'JWT' });

const claims = z.object({
  obj: z.enum(['account', 'zone']),
  id: z.string(),
  dst: z.string(),
  /** Seconds since 1970-01-01 UTC, as RFC 7519 has it. */
  exp: z.number(),
});

/** Makes the token of a claim that holds until `expiresMs`. */
export function makeChallenge(
  sealer: Sealer,
  { scope, fingerprint }: Claim,
  expiresMs: number,
): string {
  const exp = Math.floor(expiresMs / 1000);
  const body = part({ obj: scope.kind, id: scope.id, dst: fingerprint, exp });
  const signed = `${HEADER}.${body}`;
  return `${signed}.${signatures(sealer, signed)[0] ?? ''}`;
}

/** Whether a token proves the claim at `nowMs`. */
export function provesOwnership(
  sealer: Sealer,
  token: string,
  claim: Claim,
  nowMs: number,
): boolean {
  const [header = '', body = '', sent = '', ...more] = token.split('.');
  if (header !== HEADER || more.length > 0) return false;
  const given = Buffer.from(sent);
  const isOurs = signatures(sealer, `${header}.${body}`)
    .map((expected) => Buffer.from(expected))
    .some((expected) => expected.length === given.length && timingSafeEqual(expected, given));
  if (!isOurs) return false;
  const read = claims.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString('utf8')));
  if (!read.success) return false;
  const { obj, id, dst, exp } = read.data;
  const { scope, fingerprint } = claim;
  return obj === scope.kind && id === scope.id && dst === fingerprint && nowMs < exp * 1000;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** HMAC-SHA256 under a key that is derived from the one that seals secrets; also under those that were replaced. */
function signatures(sealer: Sealer, text: string): readonly string[] {
  return sealer
    .marks(`ownership\0${text}`)
    .map((mark) => Buffer.from(mark, 'hex').toString('base64url'));
}
