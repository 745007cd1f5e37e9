/**
 * The control thread's side: sessions and their listeners. What a session shows is made here, away from the threads that
 * take lines in and deliver them.
 *
 * At most one message of each shard to a listener is under way. Only when it is out is the tap told that it may hand over more, so that a
 * listener that reads slowly, or not at all, costs one message's memory and gets a coarser sample.
 */
import type { Cancel, Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { Random } from '../lib/random.ts';
import type {
  LiveAttachment,
  LiveCreated,
  LiveDesk,
  LiveEncoder,
  LiveListener,
  LiveSession,
  NewLiveSession,
  SessionLimits,
  TappedLines,
  Watch,
} from './contract.ts';
import { recordsOf, withInterval } from './records.ts';
import { Sieve } from './sieve.ts';

interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly limits: SessionLimits;
  /** How lines of this session are to be shown: always with the fields' times in one form, so never as they came. */
  readonly encoderOf: (wish: NewLiveSession) => LiveEncoder;
  /** Tells the tap, in full, whose streams to look at. */
  readonly watch: (watches: readonly Watch[]) => void;
  /** Tells the tap of a shard that the session can bear more. */
  readonly taken: (session: string, shard: number) => void;
}

/** Why a listener is told to go, as a close code (RFC 6455, section 7.4) and a reason. */
const ENDED = { code: 1000, reason: 'the session has lasted as long as it may' } as const;
const REVOKED = { code: 1008, reason: 'the token may no longer see this zone' } as const;
const REPLACED = { code: 4001, reason: 'another connection has taken this session over' } as const;
const STOPPING = { code: 1001, reason: 'the server is shutting down' } as const;

/** How often ages, rights and signs of life are looked at. */
const SWEEP_MS = 1_000;
const MINUTE_MS = 60_000;

interface Listening {
  readonly listener: LiveListener;
  aliveMs: number;
  pingedMs: number;
}

interface Session {
  readonly id: string;
  readonly wish: NewLiveSession;
  readonly encoder: LiveEncoder;
  readonly madeMs: number;
  readonly sieve: Sieve;
  /** Records that have passed the filter so far. */
  row: number;
  listening: Listening | undefined;
  /** Since when nobody listens. */
  aloneMs: number;
  /** Tries to connect within the current minute. */
  tries: number;
  triesMs: number;
}

export class LiveSessions implements LiveDesk {
  readonly #deps: SessionDeps;
  readonly #sessions = new Map<string, Session>();
  readonly #byZone = new Map<string, Session>();
  #stopSweeping: Cancel | undefined;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  create(wish: NewLiveSession): LiveCreated {
    const { clock, limits, random } = this.#deps;
    const standing = this.#byZone.get(wish.zone);
    if (standing?.listening !== undefined) return { kind: 'taken' };
    // Nobody would miss one that nobody listens to; a client that lost the answer, or its connection, just begins again.
    if (standing !== undefined) this.#end(standing, ENDED);
    if (this.#sessions.size >= limits.sessions) return { kind: 'full' };
    const now = clock.monotonicMs();
    const session: Session = {
      id: random.bytes(16).toString('hex'),
      wish,
      encoder: this.#deps.encoderOf(wish),
      madeMs: now,
      sieve: new Sieve(wish.sample, random.bytes(4).readUInt32LE()),
      row: 0,
      listening: undefined,
      aloneMs: now,
      tries: 0,
      triesMs: now,
    };
    this.#sessions.set(session.id, session);
    this.#byZone.set(wish.zone, session);
    this.#stopSweeping ??= clock.every(SWEEP_MS, () => this.#sweep());
    return { kind: 'created', session: shown(session) };
  }

  ofZone(zone: string): LiveSession | undefined {
    const session = this.#byZone.get(zone);
    return session && shown(session);
  }

  admit(id: string): 'yes' | 404 | 429 {
    const session = this.#sessions.get(id);
    if (session === undefined) return 404;
    const now = this.#deps.clock.monotonicMs();
    if (now - session.triesMs >= MINUTE_MS) {
      session.triesMs = now;
      session.tries = 0;
    }
    session.tries++;
    return session.tries > this.#deps.limits.connectsPerMinute ? 429 : 'yes';
  }

  attach(id: string, listener: LiveListener): LiveAttachment | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined) return undefined;
    const now = this.#deps.clock.monotonicMs();
    session.listening?.listener.close(REPLACED.code, REPLACED.reason);
    const listening: Listening = { listener, aliveMs: now, pingedMs: now };
    session.listening = listening;
    this.#watch();
    return {
      alive: () => {
        listening.aliveMs = this.#deps.clock.monotonicMs();
      },
      detach: () => {
        if (session.listening === listening) this.#leave(session);
      },
    };
  }

  #leave(session: Session): void {
    session.listening = undefined;
    session.aloneMs = this.#deps.clock.monotonicMs();
    this.#watch();
  }

  /** Whose streams are looked at: of sessions that somebody listens to. A shard that starts is told anew. */
  watches(): readonly Watch[] {
    return [...this.#sessions.values()]
      .filter(({ listening }) => listening !== undefined)
      .map(({ id, wish }) => ({ session: id, stream: wish.stream }));
  }

  #watch(): void {
    this.#deps.watch(this.watches());
  }

  /** Shows lines that a shard's tap handed over. */
  tapped(lines: TappedLines, shard = 0): void {
    const session = this.#sessions.get(lines.session);
    if (session?.listening === undefined) return;
    const text = this.#textOf(session, lines);
    const taken = () => this.#deps.taken(session.id, shard);
    if (text === '') taken();
    else session.listening.listener.send(text, taken);
  }

  #textOf(session: Session, tapped: TappedLines): string {
    const { buffer, byteOffset, byteLength } = tapped.bytes;
    const plain = Buffer.from(buffer, byteOffset, byteLength);
    const range = { from: 0, to: tapped.lines };
    const records = recordsOf(session.encoder.encode(plain, 0, range, false).bytes);
    const first = session.row;
    session.row += records.length;
    let level = 0;
    while (records.length / session.sieve.stride(level) > this.#deps.limits.records) level++;
    const interval = tapped.weight * session.sieve.stride(level);
    let text = '';
    for (
      let number = session.sieve.nextKept(first, level);
      number < session.row;
      number = session.sieve.nextKept(number + 1, level)
    ) {
      text += withInterval(records[number - first]!, interval);
    }
    return text;
  }

  #sweep(): void {
    const { clock, limits } = this.#deps;
    const now = clock.monotonicMs();
    for (const session of this.#sessions.values()) {
      if (now - session.madeMs >= limits.sessionMs) this.#end(session, ENDED);
      else if (!session.wish.mayGoOn()) this.#end(session, REVOKED);
      else if (session.listening !== undefined) this.#lookAfter(session, session.listening, now);
      else if (now - session.aloneMs >= limits.listenerMs) this.#end(session, ENDED);
    }
  }

  /** Asks for a sign of life, and drops who gave none since it was last asked. */
  #lookAfter(session: Session, listening: Listening, now: number): void {
    if (now - listening.pingedMs < this.#deps.limits.pingMs) return;
    if (listening.aliveMs < listening.pingedMs) {
      this.#deps.diagnostics.info('live.listener_lost', { zone: session.wish.zone });
      listening.listener.drop();
      this.#leave(session);
      return;
    }
    listening.pingedMs = now;
    listening.listener.ping();
  }

  #end(session: Session, why: { readonly code: number; readonly reason: string }): void {
    this.#sessions.delete(session.id);
    this.#byZone.delete(session.wish.zone);
    session.listening?.listener.close(why.code, why.reason);
    session.listening = undefined;
    if (this.#sessions.size === 0) {
      this.#stopSweeping?.();
      this.#stopSweeping = undefined;
    }
    this.#watch();
  }

  /** Ends all sessions. */
  close(): void {
    for (const session of this.#sessions.values()) this.#end(session, STOPPING);
  }
}

function shown({ id, wish, listening }: Session): LiveSession {
  const { zone, fields, filter, sample } = wish;
  return { id, zone, fields, filter, sample, listening: listening !== undefined };
}
