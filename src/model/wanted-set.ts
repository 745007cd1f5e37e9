/**
 * The wanted set: which streams somebody wants, as a server publishes it to forwarders and producers.
 *
 * A document says how many streams it has, their checksum, and is sealed with the token that it was asked for with; so
 * that one that is blank, cut, mixed up or made by somebody else is never taken for "nobody" (I4). docs/formats/wanted-set.md
 * shows the form.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { parseStreamKey } from './scope.ts';
import type { StreamKey } from './scope.ts';

const WANTED_FORMAT = 'waybill-wanted/1';

/** A stream that somebody wants. */
export interface WantedStream {
  readonly stream: StreamKey;
  /** The account that its lines are counted for. */
  readonly account: string;
  /** The zone's name, by which `?by=` finds it; absent for streams of accounts. */
  readonly zone?: string;
}

/** A stream that is gone because its owner, or an operator who insisted, ended it. */
export interface EndedStream {
  readonly stream: StreamKey;
  /** The configuration's version that ended it. */
  readonly version: number;
}

export interface WantedSet {
  /** The configuration's version that it follows from. */
  readonly version: number;
  /** Ordered by name, each once. */
  readonly streams: readonly WantedStream[];
  /** Streams that were ended on purpose of late, ordered by name: what may be missing. None of them is in `streams`. */
  readonly ended: readonly EndedStream[];
}

/** Why a document is not one. None of them ever means that nobody wants anything. */
export type WantedFault =
  /** Not JSON, or not of this form: cut, mixed up, an error page. */
  | 'unparsable'
  /** Of a form that only a newer version knows. */
  | 'newer_format'
  /** It has not as many streams as it says. */
  | 'count'
  | 'checksum'
  /** Sealed with another token, or not at all. */
  | 'seal';

export type ReadWanted =
  | { readonly kind: 'set'; readonly set: WantedSet; readonly tag: string }
  | { readonly kind: 'fault'; readonly fault: WantedFault; readonly detail: string };

/** The key that a set is sealed with: what server and forwarder both have of a token, and nobody else. */
export function wantedKey(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The streams as they are summed: one a row, in order. None of the parts can hold a tab or a line break. */
function canonical({ streams, ended }: WantedSet): string {
  const rows = streams.map(({ stream, account, zone }) => `${stream}\t${account}\t${zone ?? ''}\n`);
  const gone = ended.map(({ stream, version }) => `${stream}\t${version}\n`);
  return `${WANTED_FORMAT}\n${streams.length} ${ended.length}\n${rows.join('')}${gone.join('')}`;
}

/** Names what is in a set, whatever its version: an ETag without its quotes. */
export function wantedTag(set: WantedSet): string {
  return createHash('sha256').update(canonical(set)).digest('hex');
}

function sealOf(key: string, version: number, tag: string): string {
  const text = `${WANTED_FORMAT} ${version} ${tag}`;
  return createHmac('sha256', Buffer.from(key, 'hex')).update(text).digest('base64url');
}

/** The part of a document that is the same for every token that sees the same streams: they are many. */
export function writeWantedBody({ streams, ended }: Pick<WantedSet, 'streams' | 'ended'>): string {
  return `"count":${streams.length},"streams":${JSON.stringify(streams)},"ended":${JSON.stringify(ended)}`;
}

/**
 * @param key see {@link wantedKey}
 * @param made its tag and body, when they were made before
 */
export function writeWanted(
  set: WantedSet,
  key: string,
  made = { tag: wantedTag(set), body: writeWantedBody(set) },
): string {
  const { version } = set;
  const head = JSON.stringify({ format: WANTED_FORMAT, version }).slice(0, -1);
  const seal = sealOf(key, version, made.tag);
  return `${head},${made.body},"checksum":"${made.tag}","seal":"${seal}"}\n`;
}

/**
 * Reads a document without judging what it says.
 *
 * @param key undefined: the seal is not looked at (of one that was kept, whose token may have been renewed since)
 */
export function readWanted(text: string, key: string | undefined): ReadWanted {
  const fault = (kind: WantedFault, detail: string): ReadWanted => ({
    kind: 'fault',
    fault: kind,
    detail,
  });
  const document = parse(text);
  if (document === undefined) return fault('unparsable', 'it is not a whole JSON object');
  const { format, version, count, streams, checksum, seal } = document;
  if (
    typeof format === 'string' &&
    /^waybill-wanted\/\d+$/.test(format) &&
    format !== WANTED_FORMAT
  )
    return fault(
      'newer_format',
      `it has the form ${format}, and this version reads ${WANTED_FORMAT}`,
    );
  if (format !== WANTED_FORMAT || !isWhole(version) || !isWhole(count) || !Array.isArray(streams))
    return fault('unparsable', 'it lacks format, version, count or streams');
  const read = readStreams(streams);
  const ended = readEnded(document['ended']);
  if (read === undefined || ended === undefined)
    return fault('unparsable', 'a stream in it is not one, or they are out of order');
  if (count !== read.length)
    return fault('count', `it says ${count} streams and has ${read.length}`);
  const set: WantedSet = { version, streams: read, ended };
  const tag = wantedTag(set);
  if (checksum !== tag) return fault('checksum', 'its checksum is not that of its streams');
  const isSealed = (by: string) => typeof seal === 'string' && same(seal, sealOf(by, version, tag));
  if (key !== undefined && !isSealed(key)) return fault('seal', 'it is not sealed with this token');
  return { kind: 'set', set, tag };
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

const isWhole = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

const SAFE_TEXT = /^[^\t\n\r]{1,256}$/;

function readStreams(list: readonly unknown[]): readonly WantedStream[] | undefined {
  const streams: WantedStream[] = [];
  let last = '';
  for (const item of list) {
    const { stream, account, zone } = (item ?? {}) as Record<string, unknown>;
    if (typeof stream !== 'string' || parseStreamKey(stream) === undefined) return undefined;
    if (typeof account !== 'string' || !SAFE_TEXT.test(account)) return undefined;
    if (zone !== undefined && (typeof zone !== 'string' || !SAFE_TEXT.test(zone))) return undefined;
    if (stream <= last) return undefined;
    last = stream;
    streams.push({
      stream: stream as StreamKey,
      account,
      ...(zone === undefined ? {} : { zone }),
    });
  }
  return streams;
}

function readEnded(list: unknown): readonly EndedStream[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const ended: EndedStream[] = [];
  for (const item of list as readonly unknown[]) {
    const { stream, version } = (item ?? {}) as Record<string, unknown>;
    if (typeof stream !== 'string' || parseStreamKey(stream) === undefined) return undefined;
    if (!isWhole(version)) return undefined;
    ended.push({ stream: stream as StreamKey, version });
  }
  return ended;
}

function same(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Why a set that can be read is not taken all the same. */
export type WantedDoubt =
  /** Its version is below that of the last good one. */
  | 'older'
  /** It is empty. */
  | 'blank'
  /** Two or more streams that are over 10 % are gone from it, or all of them. */
  | 'shrunken';

export type WantedJudgement =
  | { readonly kind: 'take' }
  | { readonly kind: 'doubt'; readonly doubt: WantedDoubt; readonly detail: string };

/** The share of streams that may be gone at once without an operator's insistence. */
const SHARE = 0.1;

/**
 * Judges a set against the last good one: the guard's rule for documents, over the streams that are gone without having
 * been ended on purpose since. An empty one is taken only where its owners or an insisting operator have ended all.
 *
 * @param last undefined: there has never been one
 */
export function judgeWanted(next: WantedSet, last: WantedSet | undefined): WantedJudgement {
  const doubt = (kind: WantedDoubt, detail: string): WantedJudgement => ({
    kind: 'doubt',
    doubt: kind,
    detail,
  });
  if (last !== undefined && next.version < last.version)
    return doubt('older', `it has version ${next.version}, and ${last.version} was seen`);
  const had = last?.streams.length ?? 0;
  if (last === undefined || had === 0)
    return next.streams.length > 0 ? { kind: 'take' } : doubt('blank', 'it names no stream at all');
  const has = new Set(next.streams.map(({ stream }) => stream));
  const ended = new Set(
    next.ended.filter(({ version }) => version > last.version).map(({ stream }) => stream),
  );
  const gone = last.streams.filter(({ stream }) => !has.has(stream) && !ended.has(stream)).length;
  const isAll = gone === had;
  const isMany = gone >= 2 && gone > SHARE * had;
  if (next.streams.length === 0 && gone > 0) return doubt('blank', 'it names no stream at all');
  if (isAll || isMany) return doubt('shrunken', `${gone} of ${had} streams are gone from it`);
  return { kind: 'take' };
}
