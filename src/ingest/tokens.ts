/** Who sends: from a request's bearer token to its entry in the configuration in force. */
import { createHash } from 'node:crypto';
import type { IngestTokenConfig } from '../model/snapshot.ts';
import type { RouteTable } from '../route/index.ts';
import type { Refusal } from './refusal.ts';

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i;

export interface TokenReader {
  /** @param authorization the header as it came */
  read(route: RouteTable, authorization: string | undefined): IngestTokenConfig | Refusal;
}

/**
 * Reads tokens and remembers the known ones for as long as the same configuration is in force, so that a busy sender's
 * token is hashed once. Unknown ones are not remembered: nobody without a token can fill the memory or push others out.
 *
 * @param most tokens remembered; the oldest goes first
 */
export function tokenReader(most: number): TokenReader {
  let current: RouteTable | undefined;
  const known = new Map<string, IngestTokenConfig>();
  return {
    read(route, authorization) {
      if (route !== current) {
        known.clear();
        current = route;
      }
      const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
      if (token === undefined) return { code: 'token_missing' };
      const remembered = known.get(token);
      if (remembered !== undefined) return remembered;
      const found = route.token(createHash('sha256').update(token).digest('hex'));
      if (found === undefined) return { code: 'token_unknown' };
      if (known.size >= most) {
        const oldest = known.keys().next();
        if (!oldest.done) known.delete(oldest.value);
      }
      known.set(token, found);
      return found;
    },
  };
}
