/** What shards of one process say to each other about lines, and what each of them hands in. */
import type { AppendRequest, AppendResult, RequestIdentity } from '../buffer/index.ts';

/** Lines that another shard owns, on their way to it. */
export interface Handed extends AppendRequest {
  /** Servers that they have come through. */
  readonly via: readonly string[];
  /**
   * Nothing but lines that are handed over within the same turn lies in their memory, and nobody looks at it any more: it is
   * moved to the other thread instead of being copied.
   */
  readonly isMovable: boolean;
}

/** What became of lines that were handed over. */
export type HandedResult =
  | AppendResult
  | {
      readonly kind: 'refused';
      /** `shard_down`: their shard does not answer; `starting`: it takes no lines yet; `overloaded`: it has as many lines
       * before it as it may. */
      readonly reason: 'shard_down' | 'starting' | 'overloaded';
      readonly retryAfterMs: number;
    };

export interface PeersDeps {
  /** Stores lines that another shard has handed over. Never rejects. */
  readonly store: (request: AppendRequest, via: readonly string[]) => Promise<HandedResult>;
  /** Memory that was moved away with lines is back, with anything in it. */
  readonly regain: (memory: ArrayBuffer) => void;
  /** Plain bytes that one other shard may have before it, unanswered. */
  readonly mostBytes: number;
  /** Calls at the end of the turn. */
  readonly atTurnEnd: (work: () => void) => void;
}

/** One request, in short: [stream, account, memory, from, to, first end, last end, identity, via, deflated]. */
export type Row = readonly [
  stream: string,
  account: string,
  memory: number,
  from: number,
  to: number,
  endsFrom: number,
  endsTo: number,
  identity: RowIdentity | null,
  via: readonly string[],
  deflated: RowDeflated | null,
];

export type RowDeflated = readonly [fragment: number, crc: number];

/** A key's hash as text: its bytes lie in memory that others share. */
export type RowIdentity = string | Extract<RequestIdentity, { readonly kind: 'producer' }>;

/** One turn's requests for one shard. Their ids count on from `firstId`. */
export interface LinesMessage {
  readonly kind: 'lines';
  readonly firstId: number;
  /** Stretches of memory that rows point into: the bytes of lines, and where they end. */
  readonly bytes: readonly Uint8Array[];
  readonly ends: readonly Uint32Array[];
  /** Lines that came deflated, as they may be stored. */
  readonly fragments: readonly Uint8Array[];
  readonly rows: readonly Row[];
}

export interface AnswersMessage {
  readonly kind: 'answers';
  readonly rows: readonly (readonly [id: number, result: HandedResult])[];
  /** Memory of which all lines are stored. */
  readonly back: readonly ArrayBuffer[];
}

export type PeerMessage = LinesMessage | AnswersMessage;
