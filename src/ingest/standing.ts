/**
 * Where a request's target and token lead: what can be said of it from path, query and token alone.
 *
 * A busy producer sends the same two strings with each request, so what they lead to is remembered for as long as the same
 * configuration is in force. Only what a known token may do is remembered: nobody without one can fill the memory or push
 * others out. {@link lookUp} is the slow, obvious way, and says the same.
 */
import type { IngestTokenConfig } from '../model/snapshot.ts';
import type { RouteTable } from '../route/index.ts';
import { findPlace } from './place.ts';
import type { Found, Place, ZoneFinder } from './place.ts';
import type { Refusal } from './refusal.ts';
import { readTarget } from './target.ts';
import type { TokenReader } from './tokens.ts';

/** What a request may send, and where to. */
export interface Standing {
  readonly token: IngestTokenConfig;
  readonly to:
    | ({ readonly kind: 'stream' } & Place)
    | { readonly kind: 'by'; readonly field: string; readonly resolve: (value: string) => Found };
  /** The stream, when there is only one. */
  readonly place: Place | undefined;
  readonly strict: boolean;
  readonly quarantine: boolean;
  /** Whom the body's memory is charged to: an account, or the token of a sender for many. */
  readonly payer: string;
}

/** A refusal before the body; `place` when it concerns one stream that the token may write to. */
export interface TurnedAway {
  readonly refusal: Refusal;
  readonly place?: Place;
}

/** The parts of a request's head that say it. */
export interface Claim {
  readonly method: string;
  readonly url: string;
  /** The header as it came. */
  readonly authorization: string | undefined;
}

export interface StandingDeps {
  readonly tokens: TokenReader;
  readonly zones: ZoneFinder;
}

/** Without memory of earlier requests. */
export function lookUp(
  route: RouteTable,
  { method, url, authorization }: Claim,
  { tokens, zones }: StandingDeps,
): Standing | TurnedAway {
  const target = readTarget(method, url);
  if ('code' in target) return { refusal: target };
  const token = tokens.read(route, authorization);
  if ('code' in token) return { refusal: token };
  const kind = target.to.kind === 'scope' ? target.to.scope.kind : 'zone';
  const place =
    target.to.kind === 'scope'
      ? findPlace(route, token, target.to.scope, target.dataset)
      : undefined;
  if (place !== undefined && 'code' in place) return { refusal: place };
  const dataset = route.dataset(target.dataset, kind);
  if (dataset === undefined) return { refusal: { code: 'dataset_unknown' } };
  const to: Standing['to'] =
    target.to.kind === 'by'
      ? { kind: 'by', field: target.to.field, resolve: zones.finder(route, token, dataset.id) }
      : { kind: 'stream', ...place! };
  return {
    token,
    to,
    place,
    strict: dataset.strict,
    quarantine: target.quarantine,
    payer: place === undefined ? `token ${token.id}` : `account ${place.account}`,
  };
}

/** Longer ones are looked up each time, so that the memory's size is bounded in bytes too. */
const REMEMBERED_CHARACTERS = 512;

/** {@link lookUp} with a memory. */
export class Standings {
  readonly #deps: StandingDeps;
  readonly #most: number;
  #route: RouteTable | undefined;
  /** By authorization, then by URL. */
  #known = new Map<string, Map<string, Standing>>();
  #remembered = 0;

  /** @param most pairs remembered; when there are as many, all are forgotten and learned again */
  constructor(deps: StandingDeps, most: number) {
    this.#deps = deps;
    this.#most = most;
  }

  get remembered(): number {
    return this.#remembered;
  }

  find(route: RouteTable, claim: Claim): Standing | TurnedAway {
    const { authorization, method, url } = claim;
    if (route !== this.#route) this.#forget(route);
    const known =
      method === 'POST' && authorization !== undefined
        ? this.#known.get(authorization)?.get(url)
        : undefined;
    if (known !== undefined) return known;
    const found = lookUp(route, claim, this.#deps);
    if (!('refusal' in found) && authorization !== undefined) {
      this.#remember(authorization, url, found);
    }
    return found;
  }

  #remember(authorization: string, url: string, standing: Standing): void {
    if (authorization.length + url.length > REMEMBERED_CHARACTERS) return;
    if (this.#remembered >= this.#most) this.#forget(this.#route);
    const urls = this.#known.get(authorization) ?? new Map<string, Standing>();
    this.#known.set(authorization, urls.set(url, standing));
    this.#remembered++;
  }

  #forget(route: RouteTable | undefined): void {
    this.#route = route;
    this.#known = new Map();
    this.#remembered = 0;
  }
}
