/** What the two sides of the live tail say to each other, and to the rooms around them. */
import type { DatasetConfig } from '../model/snapshot.ts';

/** Lines as ingest has framed them: every line ended by one newline. */
export interface LiveLines {
  readonly bytes: Buffer;
  /** For each line the byte just behind its newline. */
  readonly ends: Uint32Array;
}

/** Is shown lines on their way in; copies what it keeps of them, and never waits. */
export interface LiveOnlooker {
  seeAll(lines: LiveLines): void;
  /** One line. @param end just behind its newline */
  see(bytes: Buffer, start: number, end: number): void;
}

/** One session's wish to see a stream. */
export interface Watch {
  readonly session: string;
  readonly stream: string;
}

/** Lines that the tap has kept for one session since it last handed some over. */
export interface TappedLines {
  readonly session: string;
  /** Whole lines, each ended by a newline. */
  readonly bytes: Uint8Array;
  readonly lines: number;
  /** Each stands for so many lines that came in. */
  readonly weight: number;
}

/** The tap's bounds; see `limits.live`. */
export interface TapLimits {
  readonly tapBytes: number;
  readonly tapLines: number;
  readonly tickMs: number;
}

/** Makes records of lines, NDJSON, one line each: as a job's encoder does (see `deliver/content`). */
export interface LiveEncoder {
  encode(
    plain: Buffer,
    first: number,
    range: { readonly from: number; readonly to: number },
    afterRecord: boolean,
  ): { readonly bytes: Buffer; readonly lines: number };
}

/** What a session shows, checked already. */
interface LiveView {
  /** Names with commas between them, as they were asked for and as they are shown. */
  readonly fields: string;
  /** Logpush's filter as text; empty: everything passes. */
  readonly filter: string;
  /** One line in so many, of those that pass. */
  readonly sample: number;
}

/** A session as its owner sees it. */
export interface LiveSession extends LiveView {
  /** 32 hex digits: whoever has them may listen. */
  readonly id: string;
  readonly zone: string;
  readonly listening: boolean;
}

export interface NewLiveSession extends LiveView {
  readonly zone: string;
  readonly stream: string;
  /** The fields to show; undefined: all. */
  readonly fieldNames: readonly string[] | undefined;
  /** What is known of the fields. */
  readonly dataset: DatasetConfig | undefined;
  /** Asked now and then: whether the one who made the session may still see the zone. */
  readonly mayGoOn: () => boolean;
}

export type LiveCreated =
  | { readonly kind: 'created'; readonly session: LiveSession }
  /** The zone has a session that somebody listens to. */
  | { readonly kind: 'taken' }
  /** As many sessions as the server bears. */
  | { readonly kind: 'full' };

/** Whoever listens, as a session sees him. */
export interface LiveListener {
  /** Sends a text message; `sent` is called when it is out, or when it never will be. */
  send(text: string, sent: () => void): void;
  /** Asks for a sign of life. */
  ping(): void;
  /** Says why, and goes. Codes: RFC 6455, section 7.4. */
  close(code: number, reason: string): void;
  /** Goes without a word: nobody is there any more. */
  drop(): void;
}

/** What a listener's connection tells the session. */
export interface LiveAttachment {
  /** The listener showed a sign of life. */
  alive(): void;
  /** The listener is gone. */
  detach(): void;
}

/** The sessions' bounds; see `limits.live`. */
export interface SessionLimits {
  readonly sessions: number;
  readonly sessionMs: number;
  readonly listenerMs: number;
  readonly connectsPerMinute: number;
  readonly records: number;
  readonly pingMs: number;
}

/** Instant Logs, as the control API sees it. */
export interface LiveDesk {
  create(wish: NewLiveSession): LiveCreated;
  /** The zone's session, if it has one. */
  ofZone(zone: string): LiveSession | undefined;
  /** Whether a connection would be taken, or the status that it is refused with. Counts as a try. */
  admit(session: string): 'yes' | 404 | 429;
  /** Joins a connection to its session, in the place of an earlier one. Undefined: the session has ended. */
  attach(session: string, listener: LiveListener): LiveAttachment | undefined;
}
