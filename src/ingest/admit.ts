/** Everything that can be said of a request before a byte of its body is read. */
import type { IncomingMessage } from 'node:http';
import { readVia } from '../lib/via.ts';
import { limits as defaults } from '../model/limits.ts';
import type { IngestTokenConfig } from '../model/snapshot.ts';
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
import { findPlace } from './place.ts';
import type { Found, Place, ZoneFinder } from './place.ts';
import { readTarget } from './target.ts';
import type { TokenReader } from './tokens.ts';
import { tooLarge } from './upload.ts';

/** A request that may send its body. */
export interface Admission {
  readonly token: IngestTokenConfig;
  readonly to:
    | ({ readonly kind: 'stream' } & Place)
    | { readonly kind: 'by'; readonly field: string; readonly resolve: (value: string) => Found };
  readonly strict: boolean;
  readonly quarantine: boolean;
  readonly identity: ClaimedIdentity | undefined;
  readonly coding: Coding;
  /** Whom the body's memory is charged to: an account, or the token of a sender for many. */
  readonly payer: string;
  /** Servers that the lines have passed through, as the sender says. */
  readonly via: readonly string[];
}

/** A refusal before the body; `place` when it concerns one stream that the token may write to. */
export interface TurnedAway {
  readonly refusal: Refusal;
  readonly place?: Place;
}

/** What admission looks at besides the request and the configuration. */
export interface Gatekeepers {
  readonly tokens: TokenReader;
  readonly zones: ZoneFinder;
  readonly budget: MemoryBudget;
  readonly limits: IngestLimits;
  readonly instance: string | undefined;
  readonly rate: FairRate | undefined;
}

/** A sender's own name and those of its stream. */
const MOST_VIA = defaults.via.namesPerStream + 1;

/** @param draining whether new requests are to be refused, once it is known whom that concerns */
export function admit(
  request: IncomingMessage,
  route: RouteTable,
  { tokens, zones, budget, limits, instance, rate }: Gatekeepers,
  draining: Refusal | undefined,
): Admission | TurnedAway {
  const target = readTarget(request.method ?? '', request.url ?? '');
  if ('code' in target) return { refusal: target };
  const token = tokens.read(route, request.headers.authorization);
  if ('code' in token) return { refusal: token };
  const kind = target.to.kind === 'scope' ? target.to.scope.kind : 'zone';
  const place =
    target.to.kind === 'scope'
      ? findPlace(route, token, target.to.scope, target.dataset)
      : undefined;
  if (place !== undefined && 'code' in place) return { refusal: place };
  const dataset = route.dataset(target.dataset, kind);
  if (dataset === undefined) return { refusal: { code: 'dataset_unknown' } };
  const away = (refusal: Refusal): TurnedAway =>
    place === undefined ? { refusal } : { refusal, place };

  const via = readVia(request.headers['waybill-via'], MOST_VIA);
  if (instance !== undefined && via.includes(instance)) return away({ code: 'delivery_loop' });
  if (draining !== undefined) return away(draining);
  const identity = readIdentity(request.headers, limits.keyBytes);
  if (identity !== undefined && 'code' in identity) return away(identity);
  const coding = readCoding(request.headers['content-encoding']);
  if (typeof coding === 'object') return away(coding);
  const announcedBytes = Number(request.headers['content-length'] ?? 0);
  if (announcedBytes > limits.bodyBytes) return away(tooLarge(limits));
  const waitMs = place === undefined ? 0 : (rate?.waitMs(place.account, announcedBytes) ?? 0);
  if (waitMs > 0) return away(overRate(waitMs));
  const payer = place === undefined ? `token ${token.id}` : `account ${place.account}`;
  const verdict = budget.room(payer, announcedBytes);
  if (verdict !== 'ok') return away(outOfMemory(verdict));
  const to: Admission['to'] =
    target.to.kind === 'by'
      ? { kind: 'by', field: target.to.field, resolve: zones.finder(route, token, dataset.id) }
      : { kind: 'stream', ...place! };
  return {
    token,
    to,
    strict: dataset.strict,
    quarantine: target.quarantine,
    identity,
    coding,
    payer,
    via,
  };
}
