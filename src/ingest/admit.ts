/** Everything that can be said of a request before a byte of its body is read. */
import type { IncomingMessage } from 'node:http';
import { readVia } from '../lib/via.ts';
import { limits as defaults } from '../model/limits.ts';
import type { RouteTable } from '../route/index.ts';
import type { IngestLimits } from './contract.ts';
import { readCoding } from './decompress.ts';
import type { FairRate } from './fair-rate.ts';
import type { Coding } from './decompress.ts';
import { readIdentity } from './identity.ts';
import type { ClaimedIdentity } from './identity.ts';
import type { MemoryBudget } from './memory.ts';
import { outOfMemory, overRate } from './refusal.ts';
import type { Refusal } from './refusal.ts';
import type { Standing, Standings, TurnedAway } from './standing.ts';
import { tooLarge } from './upload.ts';

/** A request that may send its body. */
export interface Admission extends Standing {
  readonly identity: ClaimedIdentity | undefined;
  readonly coding: Coding;
  /** Servers that the lines have passed through, as the sender says. */
  readonly via: readonly string[];
}

/** What admission looks at besides the request and the configuration. */
export interface Gatekeepers {
  readonly standings: Standings;
  readonly budget: MemoryBudget;
  readonly limits: IngestLimits;
  readonly instance: string | undefined;
  readonly rate: FairRate | undefined;
}

/** A sender's own name and those of its stream. */
const MOST_VIA = defaults.via.namesPerStream + 1;

/** @param draining whether new requests are to be refused, once it is known whom that concerns */
export function admit(
  { headers, method = '', url = '' }: Pick<IncomingMessage, 'headers' | 'method' | 'url'>,
  route: RouteTable,
  { standings, budget, limits, instance, rate }: Gatekeepers,
  draining: Refusal | undefined,
): Admission | TurnedAway {
  const standing = standings.find(route, { method, url, authorization: headers.authorization });
  if ('refusal' in standing) return standing;
  const { token, to, place, strict, quarantine, payer } = standing;
  const away = (refusal: Refusal): TurnedAway =>
    place === undefined ? { refusal } : { refusal, place };

  const via = readVia(headers['waybill-via'], MOST_VIA);
  if (instance !== undefined && via.includes(instance)) return away({ code: 'delivery_loop' });
  if (draining !== undefined) return away(draining);
  const identity = readIdentity(headers, limits.keyBytes);
  if (identity !== undefined && 'code' in identity) return away(identity);
  const coding = readCoding(headers['content-encoding']);
  if (typeof coding === 'object') return away(coding);
  const announcedBytes = Number(headers['content-length'] ?? 0);
  if (announcedBytes > limits.bodyBytes) return away(tooLarge(limits));
  const waitMs = place === undefined ? 0 : (rate?.waitMs(place.account, announcedBytes) ?? 0);
  if (waitMs > 0) return away(overRate(waitMs));
  const verdict = budget.room(payer, announcedBytes);
  if (verdict !== 'ok') return away(outOfMemory(verdict));
  return { token, to, place, strict, quarantine, payer, identity, coding, via };
}
