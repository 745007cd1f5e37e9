/**
 * Tokens: `wb_<kind>_<43 characters>`, 32 random bytes in base64url. Shown once; at rest there is only their SHA-256, which
 * is enough, because 256 random bits cannot be guessed.
 */
import { createHash } from 'node:crypto';
import type { Random } from '../../lib/random.ts';
import type { TokenKind } from '../store/records.ts';

const PREFIX = {
  operator: 'wb_op_',
  account: 'wb_acct_',
  ingest: 'wb_in_',
} as const satisfies Record<TokenKind, string>;

const SECRET_BYTES = 32;
const ID_BYTES = 8;

/** A token's longest form as sent; longer ones are refused before they are hashed. */
const LONGEST = 256;

export interface NewToken {
  readonly id: string;
  /** The token itself: shown once, then forgotten. */
  readonly secret: string;
  readonly hash: string;
}

export function newToken(kind: TokenKind, random: Random): NewToken {
  const secret = `${PREFIX[kind]}${random.bytes(SECRET_BYTES).toString('base64url')}`;
  return { id: random.bytes(ID_BYTES).toString('hex'), secret, hash: tokenHash(secret) };
}

/** Hex SHA-256 of the token as sent. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Headers that may carry a token: RFC 6750's, and the two of Logpush's older clients. */
export interface TokenHeaders {
  readonly authorization?: string | undefined;
  readonly 'x-auth-key'?: string | string[] | undefined;
  readonly 'x-auth-user-service-key'?: string | string[] | undefined;
}

/** The token of a request, or undefined when it carries none. */
export function tokenOf(headers: TokenHeaders): string | undefined {
  const bearer = /^bearer +([^\s]+) *$/i.exec(headers.authorization ?? '')?.[1];
  const token = bearer ?? headers['x-auth-key'] ?? headers['x-auth-user-service-key'];
  return typeof token === 'string' && token.length > 0 && token.length <= LONGEST
    ? token
    : undefined;
}
